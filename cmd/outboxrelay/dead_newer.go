package main

import (
	"context"
	"errors"
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
// confirmation or a flag. asked means that a confirmation follows.
func (d *decision) checkNewer(ctx context.Context, env environment, conn *pgx.Conn, asked bool) error {
	if !d.keepsOrder {
		return nil
	}
	newer, err := admin.PublishedAfter(ctx, conn, d.listed, newerLasts)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(env.stderr, "outboxrelay: %s\n", terminal.Text(env.secrets.Text(fmt.Sprintf(format, args...))))
	}
	topics := map[string]string{}
	for i, n := range newer.Keys {
		topics[n.Topic] = ""
		if i < shownLetters {
			say("topic %s, key %s: %s", n.Topic, n.Key, newerWords(n))
		}
	}
	if more := len(newer.Keys) - shownLetters; more > 0 {
		say("newer rows of %s more were published too", several(int64(more), "key"))
	}
	if text := unknownNewer(newer); text != "" {
		say("%s", text)
	}
	if len(topics) == 0 {
		return nil
	}
	d.compacted(ctx, topics)
	var risky []string
	for _, topic := range sortedKeys(topics) {
		if topics[topic] != "" {
			risky = append(risky, fmt.Sprintf("topic %s %s", terminal.Word(topic), topics[topic]))
		}
	}
	if len(risky) == 0 {
		return nil
	}
	text := strings.Join(risky[:min(len(risky), shownLetters)], "; ") + "; in a compacted topic the older states replace the newer ones of their keys"
	if d.dryRun || asked || d.order.despiteNewer {
		say("%s", text)
		return nil
	}
	return errors.New("nothing was changed: newer rows of the same keys were published, and " + text +
		": discard the dead rows, or add --despite-newer")
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
	switch {
	case n.Unkept:
		return "whether newer rows of the same keys were published is not known: the relay keeps no published rows (settle: delete)"
	case n.Incomplete:
		return "whether more newer rows of the same keys were published is not known: there was no time to look at all rows"
	}
	return ""
}

// compacted says of each topic what is wrong with it; "": it is not compacted.
func (d *decision) compacted(ctx context.Context, topics map[string]string) {
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
