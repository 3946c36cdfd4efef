package replay

import (
	"context"
	"errors"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Header is the header that every replayed record has and no other. Its value is the id
// of the replay. [consume.Message.Replay] returns it.
//
// [consume.Message.Replay]: https://pkg.go.dev/github.com/outboxgen/outboxgen/runtime/consume#Message.Replay
const Header = "outbox_replay"

// History reads the published events of one outbox. It is not safe for concurrent use.
// pgstore implements it for a table that keeps published rows.
//
// A History changes nothing and locks no rows. Each call looks at a limited number of
// events, so that it holds no snapshot of the database for long.
type History interface {
	// Reach returns how far back the history reaches now. The place is the one that was
	// reached, or "".
	Reach(ctx context.Context, after Cursor) (Reach, error)
	// Read returns events that s selects, in order, after a place in the history. A page
	// may be empty without being the last one.
	Read(ctx context.Context, s Selection, after Cursor, limit relay.Limit) (Page, error)
	// Count counts events instead of reading them.
	Count(ctx context.Context, s Selection, after Cursor) (Counts, error)
}

// Cursor is a place in a history. "" is the beginning. Its form is the store's. A store
// returns ErrCursor for a text that it did not make.
type Cursor string

// ErrCursor is returned, wrapped, for a cursor that is not one of this store.
var ErrCursor = errors.New("replay: this is not a place in the history")

// Selection selects published events. All that is set must match.
type Selection struct {
	// From and To are the range of times, without To itself. Zero: no limit.
	From, To time.Time
	// EventTypes and Topics are names or patterns, of which one must match: * stands for
	// any characters and ? for one. Topics are those to which the events were published.
	EventTypes, Topics []string
	Key                *string
	AggregateType      string
	AggregateID        string
}

// Reach is how far back a history reaches. A store deletes old events, for example those
// that are older than its retention.
type Reach struct {
	// Back is a time such that no event that was created later has been deleted. An empty
	// history reaches back to now. Zero: none has been deleted.
	Back time.Time
	// Empty is true if the history has no events.
	Empty bool
	// Place is a time: the events after the place were not inserted before it. Zero, or a time
	// long ago, means that it is unknown.
	Place time.Time
}

// Lacks reports whether events that s selects may be missing after the place.
func (r Reach) Lacks(s Selection) bool {
	from := s.From
	if r.Place.After(from) {
		from = r.Place
	}
	return from.Before(r.Back) && (s.To.IsZero() || from.Before(s.To))
}

// Page is a part of a history.
type Page struct {
	Events []Event
	// After is the place for the next call. It is after the last of Events.
	After Cursor
	// End is true if there is nothing after this page.
	End bool
}

// Event is a published event, with its place in the history.
type Event struct {
	relay.Row

	At Cursor
}

// Counts are the numbers of events in a part of a history.
type Counts struct {
	Counts []Count
	// After and End are as in Page.
	After Cursor
	End   bool
}

// Count is the number of events of one type that were published to one topic.
type Count struct {
	EventType string    `json:"event_type"`
	Topic     string    `json:"topic"`
	Events    int64     `json:"events"`
	First     time.Time `json:"first"` // time of the oldest one
	Last      time.Time `json:"last"`  // time of the newest one
}
