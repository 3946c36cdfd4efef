package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
)

// RetryTopic is a topic for records that are handled again later.
type RetryTopic struct {
	// Topic is its name. Each group needs its own retry topics.
	Topic string
	// Delay is how long a record waits there. All records of a topic have the same
	// delay, so that none waits behind one that is due later.
	Delay time.Duration
}

// forwardTimeout is how long the brokers have to acknowledge a record in a retry topic
// or the dead-letter topic, before it is written again.
const forwardTimeout = 30 * time.Second

// largestForward is the client's limit for one record: what was read has to be written,
// whatever the topic allows.
const largestForward = 64 << 20

// destination is where a record goes whose handler is not called again now. The zero
// value is nowhere.
type destination struct {
	topic string
	delay time.Duration // of a retry topic; 0: the dead-letter topic
	call  bool          // Config.DeadLetter
}

// destination of a record whose handler has failed for good, or for now.
func (w *worker) destination(t *task, permanent bool) destination {
	cfg := &w.run.cfg
	switch next := t.stage + 1; {
	case !permanent && next < len(cfg.RetryTopics):
		return destination{topic: cfg.RetryTopics[next].Topic, delay: cfg.RetryTopics[next].Delay}
	case cfg.DeadLetterTopic != "":
		return destination{topic: cfg.DeadLetterTopic}
	}
	return destination{call: cfg.DeadLetter != nil}
}

// failed returns the log text for a record that was not stored.
func (d destination) failed() string {
	switch {
	case d.call:
		return "DeadLetter failed, retrying; the event's partition waits"
	case d.delay > 0:
		return "event not stored in its retry topic, retrying; its partition waits"
	}
	return "event not stored in the dead-letter topic, retrying; its partition waits"
}

// delayed takes the record of a retry topic for what it was where it was published: so
// handlers, errors and logs see it.
func (t *task) delayed(topics []RetryTopic) {
	t.stage = slices.IndexFunc(topics, func(topic RetryTopic) bool { return topic.Topic == t.record.Topic })
	if t.stage < 0 {
		return
	}
	t.due = t.record.Timestamp.Add(topics[t.stage].Delay)
	letter, err := deadletter.Read(t.record.Headers)
	if err != nil { // somebody else wrote it: it is handled as it is
		return
	}
	if !letter.NotBefore.IsZero() {
		t.due = letter.NotBefore
	}
	t.before = letter.Attempts
	t.m.Topic, t.m.Partition, t.m.Offset, t.m.Timestamp = letter.Topic, letter.Partition, letter.Offset, letter.Timestamp
	t.m.Headers = slices.DeleteFunc(t.m.Headers, func(h outbox.Header) bool { return deadletter.Own(h.Key) })
}

// ofAnotherGroup reports whether the record was sent back for another group, or waits in
// a retry topic of another group.
func (t *task) ofAnotherGroup(group string) bool {
	var redriven, failed string
	waits := false
	for _, h := range t.record.Headers {
		switch h.Key {
		case deadletter.HeaderRedriveGroup:
			redriven = string(h.Value)
		case deadletter.HeaderGroup:
			failed = string(h.Value)
		case deadletter.HeaderNotBefore:
			waits = true
		}
	}
	its := redriven
	if waits {
		its = failed
	}
	return its != "" && its != group
}

// forward writes a record that was given up to its destination, and returns when that is
// acknowledged.
func (w *worker) forward(t *task) error {
	if t.to.call {
		return w.deadLetter(t)
	}
	letter := deadletter.Letter{
		Topic: t.m.Topic, Partition: t.m.Partition, Offset: t.m.Offset, Timestamp: t.m.Timestamp,
		Group: w.run.cfg.Group, Attempts: t.tries, Error: t.cause.Error(), ErrorType: errorType(t.cause),
	}
	if caught, ok := errors.AsType[*consume.PanicError](t.cause); ok {
		letter.Stack = string(caught.Stack)
	}
	if t.to.delay > 0 {
		letter.NotBefore = time.Now().Add(t.to.delay)
	}
	record := &kgo.Record{Topic: t.to.topic, Key: t.record.Key, Value: t.record.Value, Headers: letter.Headers(t.record.Headers)}
	if err := w.run.produce(w.ctx, record); err != nil {
		return fmt.Errorf("consume/kafka: write the record to topic %s: %s: %w", t.to.topic, produceHint(err), err)
	}
	return nil
}

// errorType returns the type of the service's own error.
func errorType(err error) string {
	for {
		switch wrapping := err.(type) { //nolint:errorlint // what these wrap is looked for
		case *consume.HandlerError:
			err = wrapping.Err
		case *consume.DecodeError:
			err = wrapping.Err
		default:
			return fmt.Sprintf("%T", err)
		}
	}
}

// produce writes one record at a time: records of several partitions in one batch could
// be too large together.
func (r *run) produce(ctx context.Context, record *kgo.Record) error {
	select {
	case r.producing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.producing }()
	writing, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	acked := make(chan error, 1)
	r.client.Produce(writing, record, func(_ *kgo.Record, err error) { acked <- err })
	select {
	case err := <-acked:
		return err
	case <-writing.Done(): // the client may keep a record that was sent; it may have been written
		return writing.Err()
	}
}

// validateTopics checks the retry topics and the dead-letter topic.
func (c Config) validateTopics(check func(valid bool, format string, args ...any)) {
	taken := map[string]string{}
	for _, topic := range c.Topics {
		taken[topic] = "Topics"
	}
	take := func(topic, field string) {
		other, twice := taken[topic]
		check(!twice, "%s is %q, and so is one of %s: use another topic", field, topic, other)
		taken[topic] = field
	}
	for i, topic := range c.RetryTopics {
		if topic.Topic == "" {
			check(false, "RetryTopics[%d].Topic is empty: name the topic", i)
			continue
		}
		check(topic.Delay > 0, "RetryTopics[%d].Delay is %v: use more than 0", i, topic.Delay)
		take(topic.Topic, fmt.Sprintf("RetryTopics[%d].Topic", i))
	}
	check(len(c.RetryTopics) == 0 || c.MaxAttempts != 0, "MaxAttempts is 0, so no record would get to RetryTopics: set the attempts before that")
	if c.DeadLetterTopic != "" {
		take(c.DeadLetterTopic, "DeadLetterTopic")
		check(c.DeadLetter == nil, "DeadLetter and DeadLetterTopic are both set: use one")
	}
}

// field returns the field that names a topic which is read.
func (c Config) field(topic string) string {
	if slices.ContainsFunc(c.RetryTopics, func(t RetryTopic) bool { return t.Topic == topic }) {
		return fieldRetryTopics
	}
	return "Topics"
}

const fieldRetryTopics = "RetryTopics"

// consumed returns the topics to read, where they have names.
func (c Config) consumed() []string {
	topics := slices.Clone(c.Topics)
	for _, topic := range c.RetryTopics {
		topics = append(topics, topic.Topic)
	}
	return topics
}

// checkPatterns checks a client whose topics are patterns: it reads no other topics, and
// must not read its own dead letters.
func (c Config) checkPatterns(client *kgo.Client) error {
	if regex, _ := client.OptValue(kgo.ConsumeRegex).(bool); !regex {
		return nil
	}
	excluded, _ := client.OptValue(kgo.ConsumeExcludeTopics).([]string)
	if pattern := matching(c.Topics, c.DeadLetterTopic); pattern != "" && matching(excluded, c.DeadLetterTopic) == "" {
		return fmt.Errorf("consume/kafka: Config.Topics has the pattern %q, which matches DeadLetterTopic %s: "+
			"change it, or add kgo.ConsumeExcludeTopics(%q) to Options", pattern, c.DeadLetterTopic, exactly(c.DeadLetterTopic))
	}
	return nil
}

// matching returns the first pattern that a topic matches. The client has compiled them.
func matching(patterns []string, topic string) string {
	for _, pattern := range patterns {
		if re, err := regexp.Compile(pattern); err == nil && topic != "" && re.MatchString(topic) {
			return pattern
		}
	}
	return ""
}

// exactly returns a pattern that one topic matches.
func exactly(topic string) string { return "^" + regexp.QuoteMeta(topic) + "$" }
