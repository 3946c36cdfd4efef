package schema

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// direction is what a service does with a message: sends, receives, both, or 0 if its
// document does not say it.
type direction uint8

const (
	sends direction = 1 << iota
	receives
)

// opposite returns the direction of a reply.
func (d direction) opposite() direction {
	if d == sends {
		return receives
	}
	return sends
}

// actions reads the operations of AsyncAPI 3: which messages the service sends, and which
// it receives.
func (r *apiReader) actions() {
	all, ok := r.object(r.root(), "operations")
	if !ok {
		return
	}
	for _, m := range all.value.Members {
		n, ok := r.target(all.at(m), m.Name)
		if !ok || strings.HasPrefix(m.Name, "x-") && n.value.Member("action") == nil {
			continue
		}
		does, ok := r.action(n)
		if !ok {
			continue
		}
		whole := r.load.withTraits(n, r.document.major)
		left := refuses(whole)
		if x := whole.member("x-outbox"); x != nil && !left {
			r.misplaced(x)
		}
		r.act(n, does, left)
		if reply, ok := r.object(n, "reply"); ok {
			r.act(reply, does.opposite(), left)
		}
	}
	for _, m := range r.load.messages {
		for i := range m.channels {
			c := &m.channels[i]
			c.left = c.left || c.leftBy && c.does == 0
		}
	}
}

// action returns what an operation does.
func (r *apiReader) action(n node) (does direction, ok bool) {
	action := n.value.Member("action")
	switch {
	case action == nil:
		r.load.brokenRef(n.unit, n.value, failure{id: "missing-member", message: "the operation needs the member action", hint: "write action: send or action: receive"})
	case action.Kind == String && action.Text == "send":
		return sends, true
	case action.Kind == String && action.Text == "receive":
		return receives, true
	default:
		r.load.brokenRef(n.unit, action, failure{id: "bad-choice", message: "action must be send or receive, not " + action.Describe()})
	}
	return 0, false
}

// act records what an operation, or its reply, does with the messages that it lists, or
// else with all messages of its channel. An operation with x-outbox: false (left) does
// nothing with them.
func (r *apiReader) act(n node, does direction, left bool) {
	channel, ok := r.object(n, "channel")
	listed, lists := n.member("messages")
	if !ok && !lists {
		return // a reply to an address that a message names
	}
	record := func(m *apiMessage) {
		for i := range m.channels {
			c := &m.channels[i]
			switch {
			case ok && c.place != channel.place():
			case left:
				c.leftBy = true
			default:
				c.does |= does
			}
		}
	}
	switch {
	case !lists:
		for _, m := range r.load.messages {
			record(m)
		}
	case listed.value.Kind != Array:
		r.load.brokenRef(listed.unit, listed.value, failure{id: "wrong-type", message: "messages of an operation must be an array, not " + listed.value.Describe()})
	default:
		for i := range listed.value.Items {
			if target, found := r.target(listed.item(i), "message"); found {
				if m := r.load.messages[messageKey{target.place(), r.document.major}]; m != nil {
					record(m)
				}
			}
		}
	}
}

// onlyReceived reports whether the service receives a message and does not send it, as
// the operations of its document say.
func (m *apiMessage) onlyReceived() bool {
	var does direction
	for _, c := range m.channels {
		if !c.left {
			does |= c.does
		}
	}
	return does == receives && m.listed()
}

// consumed reports whether the event of a message is one that the service receives.
func (m *apiMessage) consumed(x *Extension) bool {
	if x != nil && x.Role != nil {
		return x.Role.Text == roleConsume
	}
	return m.onlyReceived()
}

// warnPublish warns about each document of AsyncAPI 2 whose word publish decides that
// messages are received: many authors mean the opposite.
func (l *loader) warnPublish() {
	if l.api.PublishSet {
		return
	}
	for _, d := range l.apis {
		if d.publish == nil {
			continue
		}
		received := 0
		for _, m := range d.messages {
			if !m.left && m.onlyReceived() && (m.x == nil || m.x.Role == nil) {
				received++
			}
		}
		if received == 0 {
			continue
		}
		messages := "a message that others publish and the service receives, so it gets"
		if received > 1 {
			messages = "messages that others publish and the service receives, so they get"
		}
		l.list.Add(finding.Finding{
			Pos: *d.publish, Severity: finding.Warning, ID: "asyncapi-publish",
			Message: "in AsyncAPI 2, publish has " + messages + " handlers and no insert functions",
			Hint:    "in outboxgen.yaml, set asyncapi: {publish: sends} if the service sends what is under publish, or {publish: receives} if this is right",
		})
	}
}
