package pgstore

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// LogStore is the store of an outbox that is a log: its rows are only inserted, and a cursor says
// which are published. The package documentation has more. Connecting, the lease and delayed
// events are those of a [Store].
type LogStore struct {
	*Store

	mu sync.Mutex
	of *logTerm // of the current or last term; nil: none yet
	// beginning holds a token while no term begins.
	beginning chan struct{}
	doubted   *term // it begins with a repair, which was not carried out yet; whoever has the token uses it
	repairs   repairs

	repairLocks attempts
	partitions  partitions
	gone        int64 // the seq after which forgetGone looks next

	asideRows  int   // see logAsideRows
	repairRows int32 // see repairRows
	repairIdle time.Duration
}

var (
	_ relay.Store        = (*LogStore)(nil)
	_ relay.Delayer      = (*LogStore)(nil)
	_ relay.Idler        = (*LogStore)(nil)
	_ relay.Tidier       = (*LogStore)(nil)
	_ relay.Maintainer   = (*LogStore)(nil)
	_ relay.Pauser       = (*LogStore)(nil)
	_ relay.ReleaseHints = (*LogStore)(nil)
)

// logAsideRows is how many rows may be read past the cursor before those that wait are set
// aside. It is more than a relay has in memory by default, so rows are rarely set aside that
// are only about to be sent.
const logAsideRows = 32_768

// NewLogStore returns a store of a log. It does not connect. Config.Mode has no effect. The error
// names the invalid field of the configuration.
func NewLogStore(cfg Config) (*LogStore, error) {
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	l := &LogStore{Store: s, asideRows: logAsideRows, repairRows: repairRows, repairIdle: repairIdle, beginning: make(chan struct{}, 1)}
	l.beginning <- struct{}{}
	s.checks, s.shape = l.logChecks(), &logShape
	s.unread = logUnread
	return l, nil
}

// Settings returns the settings that all relays of an outbox must share.
func (s *LogStore) Settings() map[string]string { return map[string]string{"store": "log"} }

// logTerm is what a term knows of the log.
type logTerm struct {
	term    *term
	writing chan struct{} // holds a token while no cursor is being written

	mu        sync.Mutex
	w         *logcursor.Window
	n         int64            // of the last cursor row that was tried to be written
	floor     int64            // any later snapshot shows every row up to this seq
	floors    map[string]int64 // of some snapshots
	baseFloor int64            // of the cursor's base, and so of every later snapshot
	ends      map[string]int64 // the highest seq after a snapshot was taken
	topics    map[string]string
	noted     string // the snapshot of the last tick in the history
	notedAt   time.Time
	// where the cursor belongs
	system, database, file int64
	standing               int64    // the highest place of the sequence that was read
	seen                   string   // the newest snapshot after which the sequence was neither replaced nor below a known number; "": none
	below                  below    // see lookBelow
	numbers                numbers  // whether they were used twice
	entries                int64    // no entry has a higher seq
	low                    lowWater // how floor is found; only safe, asked and open
	// unsure is true while it is not known whether a settlement with failures was recorded.
	// Then only its repetition may write.
	unsure bool
	// nothingWaits is true if no row waits behind the cursor with a seq after waitsAfter.
	nothingWaits bool
	waitsAfter   int64
}

// logOf returns the state of the current term, and reads the cursor if it is new. The cursor
// is read in the term: the last settlement of the former leader has ended by then.
func (s *LogStore) logOf(ctx context.Context, t *term, se *session) (*logTerm, error) {
	select {
	case <-s.beginning:
		defer func() { s.beginning <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	s.mu.Lock()
	of := s.of
	s.mu.Unlock()
	if of != nil && of.term == t {
		return of, nil
	}
	row, cursor, entries, err := s.termBegins(ctx, t, se)
	if err != nil {
		return nil, err
	}
	floor := row.Floor
	lt := &logTerm{
		term: t, writing: make(chan struct{}, 1), w: logcursor.New(cursor), n: row.N, floor: floor,
		baseFloor: floor, floors: map[string]int64{}, ends: map[string]int64{}, topics: map[string]string{},
		system: row.SystemNow, database: row.DatabaseNow, file: row.SequenceFileNow, standing: row.Standing, noted: cursor.Base, entries: entries,
	}
	lt.low.safe = floor
	lt.writing <- struct{}{}
	s.mu.Lock()
	s.of = lt
	s.mu.Unlock()
	return lt, nil
}

// storedCursor reads the stored cursor.
func storedCursor(ctx context.Context, se *session) (pgdb.LogCursorRow, error) {
	row, err := se.q.LogCursor(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return row, &relay.SetupError{
			Problem: "event_outbox_cursor has no row, so nothing says which rows are published",
			Remedy:  adoptRemedy,
		}
	case isLockTimeout(err):
		return row, errSequenceLocked
	case err != nil:
		return row, fmt.Errorf("read the cursor: %w", err)
	}
	return row, nil
}

const adoptRemedy = "stop the relays, and say with `outboxrelay store adopt` from where to send again"

// readCursor returns a stored cursor if it is about this database.
func readCursor(row pgdb.LogCursorRow) (c logcursor.Cursor, err error) {
	switch {
	case row.System != 0 && (row.System != row.SystemNow || row.Database != row.DatabaseNow):
		return c, &relay.SetupError{
			Problem: "the cursor of the log is that of another database: a dump was restored, or the server was upgraded, " +
				"so its transaction ids mean nothing here",
			Remedy: adoptRemedy,
		}
	case row.NextTx < row.BaseTx:
		return c, &relay.SetupError{
			Problem: fmt.Sprintf("the cursor of the log has transaction id %d, and the server's next one is lower (%d)", row.BaseTx, row.NextTx),
			Remedy:  adoptRemedy,
		}
	}
	ahead, err := logcursor.Decode(row.Ahead)
	if err != nil {
		return c, fmt.Errorf("event_outbox_cursor.ahead: %w", err)
	}
	return logcursor.Cursor{Base: row.Base, Shown: row.Shown, Seq: row.Seq, Ahead: ahead}, nil
}

// inLog is inTerm with the state of the log.
func (s *LogStore) inLog(ctx context.Context, what string, fn func(*term, *session, *logTerm) error) error {
	return s.inTerm(ctx, what, func(t *term, se *session) error {
		lt, err := s.logOf(ctx, t, se)
		if err != nil {
			return err
		}
		return fn(t, se, lt)
	})
}

// Snapshot takes a snapshot of the database. The first one of a term is given until the backlog
// was read, because the answer with it may be lost.
func (s *LogStore) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	var taken relay.Snapshot
	in := s.currentTerm()
	err := s.inLog(ctx, "take a snapshot", func(t *term, se *session, lt *logTerm) error {
		lt.mu.Lock()
		floor, known := lt.floor, lt.standing // the floor is true of every snapshot from now on
		lt.mu.Unlock()
		var filled string
		var flushed bool
		var err error
		if taken, filled, flushed, err = s.takeSnapshot(ctx, se); err != nil {
			return err
		}
		parsed, err := parseSnapshot(taken)
		if err != nil {
			return err
		}
		if err := t.advance(parsed, filled, flushed); err != nil {
			return err
		}
		// After the snapshot: it shows no row with a number of another sequence.
		place, err := se.q.LogPlace(ctx)
		if isLockTimeout(err) {
			err = errSequenceLocked
		}
		if err != nil {
			return err
		}
		lt.mu.Lock()
		defer lt.mu.Unlock()
		if err := lt.stands(place.File, place.Standing, max(known, place.Highest)); err != nil {
			return err
		}
		if !lt.numbers.doubtful {
			lt.seen = string(taken)
		}
		if first := lt.w.First(); first != "" {
			taken = relay.Snapshot(first)
		} else {
			lt.floors[string(taken)] = floor
			lt.ends[string(taken)] = place.Highest
			lt.w.Took(string(taken))
		}
		if !lt.w.Begun() {
			lt.w.Begin(string(taken))
		}
		return nil
	})
	if err = s.repaired(ctx, "take a snapshot", in, err); err != nil {
		return "", err
	}
	return taken, nil
}

// hashKey is what the window keeps of a key.
func hashKey(key *string) uint64 {
	h := fnv.New64a()
	if key != nil {
		_, _ = h.Write([]byte(*key))
	}
	return h.Sum64()
}

// noteRows returns what the window keeps of rows. It requires lt.mu.
func (lt *logTerm) noteRows(rows []relay.Row) []logcursor.Row {
	out := make([]logcursor.Row, len(rows))
	for i := range rows {
		r := &rows[i]
		topic, seen := lt.topics[r.Topic]
		if !seen {
			if len(lt.topics) > mostTopics {
				clear(lt.topics)
			}
			topic = r.Topic
			lt.topics[topic] = topic
		}
		out[i] = logcursor.Row{Seq: r.Seq, ID: r.ID, Topic: topic, Key: hashKey(r.Key)}
	}
	return out
}

// mostTopics limits the topics of which one copy of the name is kept.
const mostTopics = 10_000

// floorOf returns up to which seq a snapshot shows every row. It requires lt.mu.
func (lt *logTerm) floorOf(snapshot string) int64 { return max(lt.baseFloor, lt.floors[snapshot]) }

// forget drops what is known about snapshots that are not needed any more. It requires
// lt.mu.
func (lt *logTerm) forget() {
	const few = 64
	if len(lt.floors) < few && len(lt.ends) < few {
		return
	}
	to, _, _ := lt.w.Unread()
	for s := range lt.floors {
		if s != lt.w.Base() && s != lt.w.From() && s != to {
			delete(lt.floors, s)
		}
	}
	for s := range lt.ends {
		if s != lt.w.From() && s != to {
			delete(lt.ends, s)
		}
	}
}
