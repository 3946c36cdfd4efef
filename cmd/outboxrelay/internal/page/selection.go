package page

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// selection is what somebody has selected of the dead rows of an outbox: single ones, or
// those that a filter matches.
type selection struct {
	// The filter. If single rows are selected, it is only that of the list from which they come.
	Type, Topic, Key, Error, Age string

	ids []uuid.UUID
}

// ages are the choices of the filter, in their order.
var ages = []struct {
	Value, Text  string
	older, newer time.Duration
}{
	{"", "any time", 0, 0},
	{"newer-15m", "in the last 15 minutes", 0, 15 * time.Minute},
	{"newer-1h", "in the last hour", 0, time.Hour},
	{"newer-24h", "in the last 24 hours", 0, 24 * time.Hour},
	{"older-1h", "more than 1 hour ago", time.Hour, 0},
	{"older-24h", "more than 24 hours ago", 24 * time.Hour, 0},
	{"older-168h", "more than 7 days ago", 7 * 24 * time.Hour, 0},
}

var errBadSelection = errors.New("the address selects dead rows in a way that this version does not know: start again from the list")

// mostIDs limits the rows that somebody can select one by one.
const mostIDs = pageRows

// readSelection reads the selection of a request.
func readSelection(form url.Values) (s selection, err error) {
	// A key with a space at its end is another key.
	s = selection{Type: entered(form.Get("type")), Topic: entered(form.Get("topic")), Key: storable(form.Get("key")), Error: storable(form.Get("error")), Age: form.Get("age")}
	if _, _, ok := s.span(); !ok || len(form["id"]) > mostIDs {
		return s, errBadSelection
	}
	for _, text := range form["id"] {
		id, err := uuid.Parse(text)
		if err != nil {
			return s, errBadSelection
		}
		s.ids = append(s.ids, id)
	}
	return s, nil
}

// span returns the ages that the selection allows.
func (s selection) span() (older, newer time.Duration, ok bool) {
	for _, a := range ages {
		if a.Value == s.Age {
			return a.older, a.newer, true
		}
	}
	return 0, 0, false
}

// filter returns the filter for a list now, if the selection was made a while ago.
func (s selection) filter(ago time.Duration) admin.Filter {
	if s.ids != nil {
		return admin.Filter{EventIDs: s.ids}
	}
	f := admin.Filter{EventType: s.Type, Topic: s.Topic, Error: s.Error}
	if s.Key != "" {
		f.Key = &s.Key
	}
	f.OlderThan, f.NewerThan, _ = s.span()
	if f.OlderThan > 0 {
		f.OlderThan += ago
	}
	if f.NewerThan > 0 {
		f.NewerThan += ago
	}
	return f
}

// any reports whether the filter selects every row.
func (s selection) any() bool {
	return s.Type == "" && s.Topic == "" && s.Key == "" && s.Error == "" && s.Age == "" && s.ids == nil
}

// pairs returns the selection as parameters of an address.
func (s selection) pairs() []string {
	out := []string{"type", s.Type, "topic", s.Topic, "key", s.Key, "error", s.Error, "age", s.Age}
	for _, id := range s.ids {
		out = append(out, "id", id.String())
	}
	return out
}

// words says what the filter selects.
func (s selection) words() string {
	if len(s.ids) > 0 {
		return several(int64(len(s.ids)), "row") + " of the list"
	}
	var parts []string
	for _, one := range []struct{ name, value string }{{"type", s.Type}, {"topic", s.Topic}, {"key", s.Key}, {"error contains", s.Error}} {
		if one.value != "" {
			shown := visible(one.value)
			if strings.TrimSpace(one.value) != one.value {
				shown = `"` + shown + `"`
			}
			parts = append(parts, one.name+" "+shown)
		}
	}
	for _, a := range ages {
		if a.Value == s.Age && a.Value != "" {
			parts = append(parts, "dead "+a.Text)
		}
	}
	if parts == nil {
		return "all dead rows"
	}
	return strings.Join(parts, "; ")
}
