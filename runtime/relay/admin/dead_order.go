package admin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// OrderError is returned by ReplayInOrder if earlier dead letters of the same topics and keys
// would stay dead. Its transaction changed nothing; those before it did.
type OrderError struct {
	Earlier []DeadLetter // the first of them, in seq order
	More    bool         // there are more
}

func (e *OrderError) Error() string {
	first := e.Earlier[0]
	text := fmt.Sprintf("%d earlier dead rows of the same keys would stay dead; the selected rows would be sent before them; the first one is", len(e.Earlier))
	switch {
	case e.More:
		text = "more than " + text
	case len(e.Earlier) == 1:
		text = "1 earlier dead row of the same key would stay dead; the selected rows would be sent before it:"
	}
	return fmt.Sprintf("%s seq %d, event %s, topic %s, key %s", text, first.Seq, first.EventID, oneLine(first.Topic), oneLine(value(first.Key)))
}

// ReplayInOrder is Replay for whoever wants to keep the order of each key: if a dead letter of
// the same topic and key comes before a selected one and would stay dead, it returns an
// *OrderError. Each transaction looks for all of them, so a letter that became dead in the
// meantime counts. So does one that an earlier transaction replayed, if it is dead again.
func ReplayInOrder(ctx context.Context, conn Beginner, f Filter, d Decision) (int, error) {
	c := replaying(ctx, f, d)
	c.allowed = func(tx pgx.Tx, page []DeadLetter) error {
		earlier, err := EarlierDead(ctx, tx, chosenOf(page), 0, pageRows)
		if err != nil || len(earlier) == 0 {
			return err
		}
		return &OrderError{earlier, len(earlier) == pageRows}
	}
	return c.carryOut(ctx, conn, d)
}

// Chosen are the dead letters of a selection that is to be replayed, for EarlierDead and
// PublishedAfter. It keeps little of each. The zero value has none.
type Chosen struct {
	seqs         []int64
	begins, ends map[topicKey]int64 // the first and the last seq of each
	last         int64
	oldest       time.Time // when the oldest one was created
	isLog        *bool     // whether the outbox is a log; nil: not known yet
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
	if len(c.seqs) == 1 || l.CreatedAt.Before(c.oldest) {
		c.oldest = l.CreatedAt
	}
}

func chosenOf(letters []DeadLetter) *Chosen {
	c := &Chosen{}
	for _, l := range letters {
		c.Add(l)
	}
	return c
}

// earlierStep is how many dead rows are read at once.
const earlierStep = 10_000

// mostKeys is up to how many keys only dead rows of these keys are read. With more, all are.
const mostKeys = pageRows

// EarlierDead returns the dead letters that come before a chosen one of the same topic and key
// and are not chosen themselves, in seq order, after the given seq: at most limit. It looks once
// at the dead rows up to the last chosen one, by their index, and compares them here: Postgres
// estimates joins with so many values wrong, and then they take minutes. It changes what Chosen
// keeps, as PublishedAfter does, so one Chosen is for one goroutine at a time.
func EarlierDead(ctx context.Context, db DB, chosen *Chosen, after int64, limit int) ([]DeadLetter, error) {
	outbox, err := chosen.rowsOf(ctx, db)
	if err != nil {
		return nil, err
	}
	slices.Sort(chosen.seqs)
	keys := chosen.keys(mostKeys)
	failed := func(err error) ([]DeadLetter, error) {
		return nil, fmt.Errorf("admin: look for earlier dead letters of the keys: %w", missing(err))
	}
	var out []DeadLetter
	for after < chosen.last {
		// Each statement looks at a limited number of rows, however few have one of the keys.
		step, err := outbox.nextDead(ctx, admindb.NextDeadParams{After: after, Before: chosen.last, MaxRows: earlierStep})
		if err != nil {
			return failed(err)
		}
		rows, err := outbox.deadBetween(ctx, admindb.DeadBetweenParams{After: after, Before: step.Last + 1, EventKeys: keys, AnyKey: keys == nil})
		if err != nil {
			return failed(err)
		}
		for _, r := range rows {
			if len(out) == limit {
				return out, nil
			}
			if r.Seq >= chosen.ends[topicKey{r.Topic, value(r.EventKey)}] {
				continue
			}
			if _, itself := slices.BinarySearch(chosen.seqs, r.Seq); !itself {
				out = append(out, letterOf(r))
			}
		}
		if after = step.Last; len(out) == limit || step.Looked < earlierStep {
			break
		}
	}
	return out, nil
}

// rowsOf returns the statements for the outbox. It asks only once whether that is a log.
func (c *Chosen) rowsOf(ctx context.Context, db DB) (rows, error) {
	if c.isLog != nil {
		return rowsOfKind(db, defaultLease, *c.isLog), nil
	}
	outbox, err := rowsOf(ctx, db)
	if err == nil {
		_, isLog := outbox.(*logRows)
		c.isLog = &isLog
	}
	return outbox, err
}

// keys returns the keys of the letters, each once; nil if there are more than most.
func (c *Chosen) keys(most int) []string {
	seen := map[string]bool{}
	for k := range c.ends {
		if seen[k.key] = true; len(seen) > most {
			return nil
		}
	}
	return slices.Collect(maps.Keys(seen))
}
