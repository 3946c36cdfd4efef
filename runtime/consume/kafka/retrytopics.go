package kafka

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
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
