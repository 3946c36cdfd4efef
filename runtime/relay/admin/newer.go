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
	// Incomplete is true if there was no time to look at all rows: there may be more.
	Incomplete bool `json:"incomplete"`
	// Unkept is true if the leader said that it keeps no published rows (settle: delete):
	// whether newer rows were published cannot be known.
	Unkept bool `json:"unkept"`
}

// newerStep is how many rows one statement looks at.
const newerStep = 20_000

// PublishedAfter looks for published rows that come after a chosen dead row of the same topic
// and key. A row that was published and then deleted, by the retention or with settle: delete,
// is not found. No index has the key, so it looks at the rows after the first chosen one in
// their order, and ends after the given time.
func PublishedAfter(ctx context.Context, db DB, chosen *Chosen, limit time.Duration) (NewerRows, error) {
	out := NewerRows{Keys: []Newer{}} // in JSON a list is never null
	if len(chosen.begins) == 0 {
		return out, nil
	}
	leader, err := ReadLeader(ctx, db, "")
	if err != nil {
		return out, err
	}
	if led := leader.State.Led; led != nil {
		out.Unkept = led.Settings["settle"] == "delete"
	}
	keys, after := map[string]bool{}, int64(math.MaxInt64)
	for k, first := range chosen.begins {
		keys[k.key], after = true, min(after, first)
	}
	names := slices.Sorted(maps.Keys(keys))
	found := map[topicKey]Newer{}
	outbox, err := rowsOf(ctx, db, defaultLease)
	if err != nil {
		return out, err
	}
	q := outbox.tail()
	for began := time.Now(); ; {
		step, err := q.NextSeqs(ctx, admindb.NextSeqsParams{After: after, MaxRows: newerStep})
		if err != nil {
			return out, fmt.Errorf("admin: look for newer published rows: %w", missing(err))
		}
		rows, err := q.PublishedOfKeys(ctx, admindb.PublishedOfKeysParams{After: after, UpTo: step.Last, EventKeys: names})
		if err != nil {
			return out, fmt.Errorf("admin: look for newer published rows: %w", missing(err))
		}
		for _, r := range rows {
			k := topicKey{r.Topic, r.EventKey}
			first, chose := chosen.begins[k]
			if !chose || r.Seq < first {
				continue
			}
			found[k] = Newer{k.topic, k.key, first, found[k].Rows + 1, r.Seq, r.ID, r.EventType, r.PublishedAt}
		}
		after = step.Last
		if step.Looked < newerStep {
			break
		}
		if out.Incomplete = time.Since(began) > limit; out.Incomplete {
			break
		}
	}
	for _, n := range found {
		out.Keys = append(out.Keys, n)
	}
	slices.SortFunc(out.Keys, func(a, b Newer) int { return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Key, b.Key)) })
	return out, nil
}
