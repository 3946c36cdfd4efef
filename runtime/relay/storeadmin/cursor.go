package storeadmin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

// place is up to where the cursor of a log says that events are published: see DESIGN.md of package
// logcursor.
type place struct {
	number      int64 // of the cursor
	base, shown string
	seq, floor  int64
	ahead       []int64
	again       bool // numbers may come again, so events have to get other ones
}

// unpassed are the rows that the cursor has not passed.
func (p place) unpassed(most int32) storedb.CopyUnpassedParams {
	return storedb.CopyUnpassedParams{Floor: p.floor, Base: p.base, Seq: p.seq, Shown: p.shown, Ahead: p.ahead, MaxRows: most}
}

// published are those of the open tick that it has passed.
func (p place) published() storedb.NotePublishedParams {
	return storedb.NotePublishedParams{Floor: p.floor, Base: p.base, Seq: p.seq, Shown: p.shown, Ahead: p.ahead}
}

// count counts what a move would copy.
func (p place) count(most int32) storedb.CountOfLogParams {
	return storedb.CountOfLogParams{Floor: p.floor, Base: p.base, Seq: p.seq, Shown: p.shown, Ahead: p.ahead, Again: p.again, MaxRows: most}
}

// passed reads up to where the events of a log are published. If numbers may come again, events get
// other ones before, as a relay does it.
func (m *move) passed() (place, error) {
	p, err := m.cursor()
	if err != nil || !p.again {
		return p, err
	}
	outcome, err := m.q.Renumber(m.ctx, storedb.RenumberParams{Former: p.number, Following: p.number + 1, Listed: p.ahead})
	switch {
	case errors.Is(err, pgx.ErrNoRows): // nobody has read the log
		return place{base: p.base, shown: p.base, ahead: []int64{}}, nil
	case err != nil:
		return p, fmt.Errorf("give events other numbers, because the sequence of seq was set back: %w", err)
	}
	if p, err = m.cursor(); err == nil && p.again {
		err = fmt.Errorf("the sequence of seq was set back, and events could not get other numbers: %s", outcome)
	}
	return p, err
}

// cursor reads the cursor of a log, and whether numbers may come again.
func (m *move) cursor() (place, error) {
	c, err := m.q.ReadCursor(m.ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return place{}, fmt.Errorf("%w: event_outbox_cursor has no row: %s", ErrForeign, adoptFirst)
	}
	if err != nil {
		return place{}, fmt.Errorf("read the cursor: %w", err)
	}
	here, err := m.q.Place(m.ctx)
	if err != nil {
		return place{}, fmt.Errorf("look at the database: %w", err)
	}
	belongs := c.System != 0
	if belongs && (c.System != here.System || c.Database != here.Database) || here.NextTx < c.BaseTx {
		return place{}, fmt.Errorf("%w: a dump was restored, or the server was upgraded: %s", ErrForeign, adoptFirst)
	}
	ahead, err := logcursor.Decode(c.Ahead)
	if err != nil {
		return place{}, fmt.Errorf("event_outbox_cursor.ahead: %w", err)
	}
	last := max(c.Seq, c.Floor)
	if len(ahead) > 0 {
		last = max(last, slices.Max(ahead))
	}
	p := place{number: c.N, base: c.Base, shown: c.Shown, seq: c.Seq, floor: c.Floor, ahead: append([]int64{}, ahead...)} // not NULL
	if p.again = belongs && c.SequenceFile != here.SequenceFile || here.Standing < last; p.again {
		return p, nil
	}
	p.again, err = m.q.HasNumberAgain(m.ctx, storedb.HasNumberAgainParams{Base: c.Base, Floor: c.Floor, Shown: c.Shown, Seq: c.Seq})
	if err != nil {
		return p, fmt.Errorf("look for numbers that were used twice: %w", err)
	}
	return p, nil
}

const adoptFirst = "say with `outboxrelay store adopt` from where to send again, and then move"
