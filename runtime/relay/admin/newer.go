package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// Newer are the rows of a topic and key that were published although they come after a dead
// row of it. Whoever replays the dead row sends an older state after a newer one.
type Newer struct {
	Topic string `json:"topic"`
	Key   string `json:"key"`
	// DeadSeq is the seq of the first dead row.
	DeadSeq int64 `json:"dead_seq"`
	// Rows is how many of them the table still has.
	Rows int64 `json:"rows"`
	// Seq to PublishedAt are those of the last one.
	Seq         int64     `json:"seq"`
	EventID     uuid.UUID `json:"event_id"`
	EventType   string    `json:"event_type"`
	PublishedAt time.Time `json:"published_at"`
}

// NewerRows is what PublishedAfter found.
type NewerRows struct {
	// Keys has an entry for each topic and key with such rows, in the order of Topic and Key.
	Keys []Newer `json:"keys"`
	// Unknown says why there may be others; "": there are none.
	Unknown Unknown `json:"unknown,omitempty"`
}

// Unknown says why it is not known whether newer rows of a key were published.
type Unknown string

// The kinds of Unknown.
const (
	NotKept Unknown = "not_kept" // the leader says that it keeps no published rows
	NoIndex Unknown = "no_index" // a look for them would read the whole table again and again
	NoTime  Unknown = "no_time"  // not all rows were looked at
	Deleted Unknown = "deleted"  // rows that were published since may have been deleted
)

// Why says it for a person.
func (u Unknown) Why() string {
	switch u {
	case NotKept:
		return "the relay keeps no published rows (settle: delete)"
	case NoIndex:
		return "event_outbox has no index on seq for all rows (CREATE INDEX CONCURRENTLY ix_event_outbox_seq ON event_outbox (seq))"
	case NoTime:
		return "there was no time to look at all rows"
	case Deleted:
		return "rows that were published since may have been deleted (setting retention)"
	}
	return string(u)
}

const (
	// newerStep is how many rows one statement looks at.
	newerStep = 20_000
	// placeRows is how many rows before a dead row are asked when they were published.
	placeRows = 1000
)

// PublishedAfter looks for published rows that come after a chosen dead row of the same topic
// and key. A row that was published and then deleted is not found; NewerRows.Unknown says
// whether there may be such. No index has the key, so it looks at the rows after the first chosen
// one in their order. It begins no statement after the given time, and none takes longer than that.
func PublishedAfter(ctx context.Context, db DB, chosen *Chosen, limit time.Duration) (NewerRows, error) {
	out := NewerRows{Keys: []Newer{}} // in JSON a list is never null
	if len(chosen.begins) == 0 {
		return out, nil
	}
	leader, err := ReadLeader(ctx, db, "")
	if err != nil {
		return out, err
	}
	tx, err := db.Begin(ctx) // for the limit of its statements
	if err != nil {
		return out, fmt.Errorf("admin: look for newer published rows: %w", err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // nothing was changed
	look := newerLook{q: admindb.New(tx), chosen: chosen, until: time.Now().Add(limit), found: map[topicKey]Newer{}}
	isLog, err := look.q.LimitStatements(ctx, max(1, limit.Milliseconds()))
	if err == nil {
		look.outbox, chosen.isLog = rowsOfKind(tx, defaultLease, isLog), &isLog
		out.Unknown, err = look.everything(ctx, leader.State.Led)
	}
	if err != nil {
		return out, fmt.Errorf("admin: look for newer published rows: %w", missing(err))
	}
	if led := leader.State.Led; led != nil && led.Settings["settle"] == "delete" {
		out.Unknown = NotKept
	}
	for _, n := range look.found {
		out.Keys = append(out.Keys, n)
	}
	slices.SortFunc(out.Keys, func(a, b Newer) int { return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Key, b.Key)) })
	return out, nil
}

// newerLook is one look for newer published rows, in a transaction of its own.
type newerLook struct {
	q      *admindb.Queries
	outbox rows
	chosen *Chosen
	until  time.Time
	found  map[topicKey]Newer
}

// everything looks at all rows after the first chosen one, and says what it cannot know.
func (l newerLook) everything(ctx context.Context, led *relay.Led) (Unknown, error) {
	var facts admindb.LookFactsRow
	inTime, err := l.step(ctx, func() (err error) {
		facts, err = l.q.LookFacts(ctx)
		return err
	})
	switch {
	case err != nil || !inTime:
		return NoTime, err
	case !facts.Indexed:
		return NoIndex, nil
	}
	keys, first := map[string]bool{}, int64(math.MaxInt64)
	for k, seq := range l.chosen.begins {
		keys[k.key], first = true, min(first, seq)
	}
	names := slices.Sorted(maps.Keys(keys))
	left := int64(0) // of the rows that were given a seq after the first one
	for after, end := first, false; !end; {
		inTime, err := l.step(ctx, func() error {
			step, err := l.q.NextSeqs(ctx, admindb.NextSeqsParams{After: after, MaxRows: newerStep, Given: facts.Given})
			if err != nil {
				return err
			}
			rows, err := l.outbox.publishedOfKeys(ctx, admindb.PublishedOfKeysParams{After: after, UpTo: step.Last, EventKeys: names})
			for _, r := range rows {
				l.add(r)
			}
			after, end, left = step.Last, step.Looked < newerStep, left+step.UpTo
			return err
		})
		if err != nil || !inTime {
			return NoTime, err
		}
	}
	if left == facts.Given-first {
		return "", nil // none is missing
	}
	kept := false
	inTime, err = l.step(ctx, func() (err error) {
		kept, err = l.outbox.keptSince(ctx, admindb.KeptSinceParams{At: l.chosen.oldest, Place: first, MaxRows: placeRows, Marks: led != nil && led.Settings["settle"] == "mark"})
		return err
	})
	switch {
	case err != nil || !inTime:
		return NoTime, err
	case !kept:
		return Deleted, nil
	}
	return "", nil
}

// step runs statements if there is time, and returns false if there is not, or if one took too
// long.
func (l newerLook) step(ctx context.Context, f func() error) (inTime bool, err error) {
	if !time.Now().Before(l.until) {
		return false, nil
	}
	if err = f(); sqlstate.Code(err) == sqlstate.Cancelled && ctx.Err() == nil {
		return false, nil
	}
	return err == nil, err
}

func (l newerLook) add(r admindb.PublishedOfKeysRow) {
	k := topicKey{r.Topic, r.EventKey}
	if first, chose := l.chosen.begins[k]; chose && r.Seq > first {
		l.found[k] = Newer{k.topic, k.key, first, l.found[k].Rows + 1, r.Seq, r.ID, r.EventType, r.PublishedAt}
	}
}

// Topics returns the topics of the letters that have a key, in their order.
func (c *Chosen) Topics() []string {
	seen := map[string]bool{}
	for k := range c.begins {
		seen[k.topic] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
