package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// compactedPlace are the settings of a replay of dead rows: where the outbox is, and where
// Kafka is, which knows whether a topic is compacted.
var compactedPlace = only("name", "database-url", "database-password-file", "schema", "service", "sink", "brokers", "client-id",
	"tls", "tls-ca", "tls-cert", "tls-key", "sasl", "sasl-user", "sasl-password", "sasl-password-file", "sasl-token-file", "sasl-without-tls")

func readCompactedPlace(r *reader) outbox {
	o := readPlace(r)
	if o.toStdout = r.text("sink") == "stdout"; !o.toStdout {
		o.kafka = readKafka(r)
		o.kafka.clientID += "-replay"
	}
	return o
}

const (
	// newerLasts limits the look for newer published rows of many keys.
	newerLasts = 10 * time.Second
	// compactedLasts limits the look at the settings of topics.
	compactedLasts = 5 * time.Second
)

// checkNewer says which newer rows of the listed dead rows' keys were published. A replay sends
// an older state after them, and in a compacted topic it replaces them: that needs a
// confirmation or a flag, also if it is not known whether there are such rows. asked means that
// a confirmation follows.
func (d *decision) checkNewer(ctx context.Context, env environment, conn *pgx.Conn, asked bool) error {
	if !d.keepsOrder {
		return nil
	}
	found, err := d.lookForNewer(ctx, env, conn)
	switch {
	case err != nil || found.risk == "":
		return err
	case d.dryRun || asked || d.order.despiteNewer:
		sayNewer(env, "%s", found.risk)
		return nil
	}
	return fmt.Errorf("nothing was changed: %s, and %s: discard the dead rows, or add --despite-newer", found.what, found.risk)
}

// checkNewerAgain is checkNewer after a confirmation, which may have taken an hour. A person who
// was told that newer states of a topic are replaced has confirmed it for other keys too.
func (d *decision) checkNewerAgain(ctx context.Context, env environment, conn *pgx.Conn) error {
	if !d.keepsOrder || d.order.despiteNewer {
		return nil
	}
	found, err := d.lookForNewer(ctx, env, conn)
	if err != nil || found.risk == "" {
		return err
	}
	return fmt.Errorf("nothing was changed: since you were asked, %s, and %s: replay again, discard the dead rows, or add --despite-newer", found.what, found.risk)
}

// newerFound is what is known of newer rows of topics about which nothing was said before.
type newerFound struct{ what, risk string }

// lookForNewer names the newer rows, and says what is not known of them. risk is about the
// topics that are compacted, or may be. What it has said of a topic it does not say again.
func (d *decision) lookForNewer(ctx context.Context, env environment, conn *pgx.Conn) (found newerFound, err error) {
	newer, err := admin.PublishedAfter(ctx, conn, d.listed, newerLasts)
	if err != nil {
		return found, err
	}
	topics, named := map[string]string{}, 0
	for _, n := range newer.Keys {
		if d.told[n.Topic] {
			continue
		}
		topics[n.Topic], found.what = "", "newer rows of the same keys were published"
		if named++; named <= shownLetters {
			sayNewer(env, "topic %s, key %s: %s", n.Topic, n.Key, newerWords(n))
		}
	}
	if more := named - shownLetters; more > 0 {
		sayNewer(env, "newer rows of %s more were published too", several(int64(more), "key"))
	}
	if text := unknownNewer(newer); text != "" { // then any topic may have them
		for _, topic := range d.listed.Topics() {
			if !d.told[topic] {
				topics[topic] = ""
			}
		}
		if found.what == "" {
			found.what = text
		}
		if len(topics) > 0 {
			sayNewer(env, "%s", text)
		}
	}
	d.compacted(ctx, topics)
	var risky []string
	for _, topic := range sortedKeys(topics) {
		d.told[topic] = true
		if topics[topic] != "" {
			risky = append(risky, fmt.Sprintf("topic %s %s", terminal.Word(topic), topics[topic]))
		}
	}
	if len(risky) > 0 {
		found.risk = strings.Join(risky[:min(len(risky), shownLetters)], "; ") + "; in a compacted topic the older states replace the newer ones of their keys"
	}
	return found, nil
}

func sayNewer(env environment, format string, args ...any) {
	fmt.Fprintf(env.stderr, "outboxrelay: %s\n", terminal.Text(env.secrets.Text(fmt.Sprintf(format, args...))))
}

// newerWords says which newer rows of a dead row's key were published.
func newerWords(n admin.Newer) string {
	text := fmt.Sprintf("seq %d, event %s, at %s; a replay of seq %d is sent after", n.Seq, n.EventID, stamp(n.PublishedAt), n.DeadSeq)
	if n.Rows == 1 {
		return "1 newer row was published: " + text + " it"
	}
	return fmt.Sprintf("%d newer rows were published, the last one is %s them", n.Rows, text)
}

// unknownNewer says what cannot be known of newer published rows; "": nothing.
func unknownNewer(n admin.NewerRows) string {
	if n.Unknown == "" {
		return ""
	}
	which := "newer rows"
	if len(n.Keys) > 0 {
		which = "more newer rows"
	}
	return fmt.Sprintf("whether %s of the same keys were published is not known: %s", which, n.Unknown.Why())
}

// compacted says of each topic what is wrong with it; "": it is not compacted.
func (d *decision) compacted(ctx context.Context, topics map[string]string) {
	if len(topics) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, compactedLasts)
	defer cancel()
	unknown := func(err error) {
		for topic := range topics {
			topics[topic] = "may be compacted: its settings cannot be read: " + err.Error()
		}
	}
	o, err := d.chosen.one(ctx, readCompactedPlace)
	if err != nil {
		unknown(err)
		return
	}
	if o.toStdout {
		return
	}
	sink, err := o.kafkaSink()
	if err != nil {
		unknown(err)
		return
	}
	producer, err := sink.Open(ctx)
	if err != nil {
		unknown(err)
		return
	}
	defer producer.Close()
	infos, err := producer.Topics(ctx, sortedKeys(topics))
	if err != nil {
		unknown(err)
		return
	}
	for _, info := range infos {
		switch {
		case info.Problem.Err != nil: // the relay says so too
			topics[info.Name] = "may be compacted: " + o.secrets.Text(info.Problem.Err.Error())
		case info.Unread.Err != nil:
			topics[info.Name] = "may be compacted: its settings cannot be read: " + o.secrets.Text(info.Unread.Err.Error())
		case info.Compacted:
			topics[info.Name] = "is compacted"
		}
	}
}
