// Package workload is the service of a chaos run: its writers change rows and insert
// events in the same transactions, in every way that the runtime supports.
package workload

import (
	"encoding/json"
	"errors"

	"github.com/outboxgen/outboxgen/runtime/gen"
)

// Service is the name under which the relay is woken.
const Service = "chaos"

// The topics.
const (
	TopicHot  = "chaos.hot"  // few keys, which all writers use
	TopicCold = "chaos.cold" // many keys
	// TopicSmall accepts records of at most SmallLimit bytes.
	TopicSmall = "chaos.small"
	// TopicFleeting is deleted and created again.
	TopicFleeting = "chaos.fleeting"
)

// SmallLimit is max.message.bytes of TopicSmall.
const SmallLimit = 20_000

// Topics lists all topics.
func Topics() []string { return []string{TopicHot, TopicCold, TopicSmall, TopicFleeting} }

// Change is the event data: the N-th change of a key.
type Change struct {
	Key string `json:"key"`
	N   int64  `json:"n"`
	Pad string `json:"pad,omitempty"`
}

// MarshalJSON implements gen.Data.
func (c Change) MarshalJSON() ([]byte, error) {
	type plain Change
	return json.Marshal(plain(c))
}

// Validate implements gen.Data.
func (c Change) Validate() error {
	if c.Key == "" {
		return errors.New("a change needs a key")
	}
	return nil
}

// EventType returns the event of a topic. Events without a key have their own type.
func EventType(topic string, keyed bool) *gen.EventType[Change] {
	t := &gen.EventType[Change]{
		Type: topic + ".changed.v1", Topic: topic, Source: Service, AggregateType: "chaos",
		AggregateID: func(c *Change) (string, error) { return c.Key, nil },
	}
	if !keyed {
		t.Type, t.Unkeyed = topic+".noted.v1", true
	}
	return t
}
