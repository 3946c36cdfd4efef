package admin

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// OrderError is returned by ReplayInOrder if earlier dead letters of the same topics and keys
// would stay dead. Its transaction changed nothing.
type OrderError struct {
	Earlier []DeadLetter // the first of them, in seq order
	More    bool         // there are more
}

func (e *OrderError) Error() string {
	first := e.Earlier[0]
	text := fmt.Sprintf("%d earlier dead rows of the same keys are not selected; the selected rows would be sent before them; the first one is", len(e.Earlier))
	switch {
	case e.More:
		text = "more than " + text
	case len(e.Earlier) == 1:
		text = "1 earlier dead row of the same key is not selected; the selected rows would be sent before it:"
	}
	return fmt.Sprintf("%s seq %d, event %s, topic %s, key %s", text, first.Seq, first.EventID, first.Topic, value(first.Key))
}

// ReplayInOrder is Replay for whoever wants to keep the order of each key: if a dead letter of
// the same topic and key comes before a selected one and is not selected, it returns an
// *OrderError. It looks for them in the transaction that replays, so a letter that became dead
// in the meantime counts.
func ReplayInOrder(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	return ReplayInOrderAfter(ctx, conn, f, d, 0)
}

// ReplayInOrderAfter is ReplayInOrder for a part of a larger selection that the caller has
// checked with EarlierDead as a whole. Dead letters up to the given seq, the last one of the
// previous part, are not looked for again. Otherwise each part would read all of them.
func ReplayInOrderAfter(ctx context.Context, conn Beginner, f Filter, d Decision, after int64) (int, error) {
	c := replaying(ctx, f, d)
	c.allowed = func(tx pgx.Tx, page []DeadLetter) error {
		earlier, err := EarlierDead(ctx, tx, chosenOf(page), after, pageRows)
		after = max(after, page[len(page)-1].Seq)
		if err != nil || len(earlier) == 0 {
			return err
		}
		return &OrderError{earlier, len(earlier) == pageRows}
	}
	return c.carryOut(ctx, conn, d)
}

// Chosen are the dead letters of a selection that is to be replayed, for EarlierDead. It keeps
// little of each. The zero value has none.
type Chosen struct {
	seqs         []int64
	begins, ends map[topicKey]int64 // the first and the last seq of each
	last         int64
}

type topicKey struct{ topic, key string }

// Add adds a letter. Those without a key have no order.
func (c *Chosen) Add(l DeadLetter) {
	if value(l.Key) == "" {
		return
	}
	if c.ends == nil {
		c.begins, c.ends = map[topicKey]int64{}, map[topicKey]int64{}
	}
	k := topicKey{l.Topic, *l.Key}
	if first, known := c.begins[k]; !known || l.Seq < first {
		c.begins[k] = l.Seq
	}
	c.ends[k] = max(c.ends[k], l.Seq)
	c.seqs, c.last = append(c.seqs, l.Seq), max(c.last, l.Seq)
}

func chosenOf(letters []DeadLetter) *Chosen {
	c := &Chosen{}
	for _, l := range letters {
		c.Add(l)
	}
	return c
}

// firstEarlier and mostEarlier are how many dead rows are read at once, at first and later: a
// part of a larger selection has few before its end.
const firstEarlier, mostEarlier = 100, 10_000

// EarlierDead returns the dead letters that come before a chosen one of the same topic and key
// and are not chosen themselves, in seq order, after the given seq: at most limit. It reads the
// dead rows up to the last chosen one once, by their index, and compares them here: Postgres
// estimates joins with so many values wrong, and then they take minutes. It sorts what Chosen
// keeps, so one Chosen is for one goroutine at a time.
func EarlierDead(ctx context.Context, db DB, chosen *Chosen, after int64, limit int) ([]DeadLetter, error) {
	outbox, err := rowsOf(ctx, db, defaultLease)
	if err != nil {
		return nil, err
	}
	slices.Sort(chosen.seqs)
	var out []DeadLetter
	for size := int32(firstEarlier); after < chosen.last && len(out) < limit; size = min(10*size, mostEarlier) {
		rows, err := outbox.dead(ctx, admindb.DeadRowsParams{After: after, MaxRows: size})
		if err != nil {
			return nil, fmt.Errorf("admin: look for earlier dead letters of the keys: %w", missing(err))
		}
		for _, r := range rows {
			if after = r.Seq; after >= chosen.last || len(out) == limit {
				return out, nil
			}
			if r.Seq >= chosen.ends[topicKey{r.Topic, value(r.EventKey)}] {
				continue
			}
			if _, itself := slices.BinarySearch(chosen.seqs, r.Seq); !itself {
				out = append(out, letterOf(r))
			}
		}
		if len(rows) < int(size) {
			break
		}
	}
	return out, nil
}
