package schema

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// apiTopic sets the topic of the event from its channels, unless x-outbox has it.
// Without a topic that Kafka accepts, the topic is the type.
func (l *loader) apiTopic(m *apiMessage, x *Extension) bool {
	if x.Topic != nil || x.seen("topic") {
		return x.Topic != nil
	}
	channels := slices.DeleteFunc(slices.Clone(m.channels), func(c apiChannel) bool { return c.left })
	if len(channels) == 0 {
		l.typeIsTopic(x, x.Type.Pos, "no channel has the message", "topic: NAME in x-outbox of the message")
		return true
	}
	// A service must not send to a topic that it only receives from.
	if sent := slices.DeleteFunc(slices.Clone(channels), func(c apiChannel) bool { return c.does == receives }); len(sent) > 0 {
		channels = sent
	}
	channel := channels[0]
	const hint = "bindings: {kafka: {topic: NAME}} in the channel, or topic: NAME in x-outbox of the message"
	switch topic := channel.topic; {
	case topic == nil:
		l.typeIsTopic(x, channel.name.Pos, "the channel "+finding.Quote(channel.name.Text)+" has no address", hint)
		return true
	case topic.Kind != String:
		l.list.Errorf(topic.Pos, "wrong-type", "the topic of the channel must be a string, not %s", topic.Describe())
		return false
	case strings.ContainsAny(topic.Text, "{}"):
		l.typeIsTopic(x, topic.Pos, finding.Quote(topic.Text)+" has parameters", hint)
		return true
	case topicProblem(topic.Text) != "":
		l.typeIsTopic(x, topic.Pos, finding.Quote(topic.Text)+" cannot be a topic of Kafka", hint)
		return true
	}
	for _, other := range channels[1:] {
		if m.consumed(x) {
			break // consumers may read several topics
		}
		if other.topic == nil || other.topic.Text != channel.topic.Text {
			l.list.Warnf(m.at.value.Pos, "asyncapi-topics", "the channels %s and %s both have this message; its event has one topic, %s",
				finding.Quote(channel.name.Text), finding.Quote(other.name.Text), finding.Quote(channel.topic.Text)).
				SetHint("set topic: in x-outbox of the message; a service sends an event to another topic with outbox.WithTopic")
			break
		}
	}
	x.Topic = &Name{Text: channel.topic.Text, Pos: channel.topic.Pos}
	x.At["topic"] = channel.topic.Pos
	return true
}

// typeIsTopic makes the type the topic of an event, as in a schema file. Characters that
// Kafka does not allow are replaced. reason says why the document gives no topic; a
// message that no channel has needs no warning if its type can be a topic.
func (l *loader) typeIsTopic(x *Extension, pos finding.Pos, reason, hint string) {
	topic, what := cleanTopic(x.Type.Text), "its type"
	if topic != x.Type.Text {
		what = "its type with _ for what Kafka does not allow"
	} else if pos == x.Type.Pos {
		return // event does it
	}
	l.list.Warnf(pos, "asyncapi-topic", "%s, so the topic of the event %s is %s, %s", reason, finding.Quote(x.Type.Text), what, finding.Quote(topic)).
		SetHint("to choose the topic, write " + hint)
	x.Topic = &Name{Text: topic, Pos: x.Type.Pos}
	x.At["topic"] = pos
}

// cleanTopic returns a name as a topic of Kafka: each character that Kafka does not allow
// is _, and what is too long is cut.
func cleanTopic(name string) string {
	topic := strings.Map(func(c rune) rune {
		if topicProblem("a"+string(c)) != "" {
			return '_'
		}
		return c
	}, name)
	if topic = topic[:min(len(topic), maxTopic)]; topic == "" || topic == "." || topic == ".." {
		return "_" + topic
	}
	return topic
}
