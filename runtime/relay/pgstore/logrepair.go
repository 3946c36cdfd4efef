package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/callctx"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// errNumbersLocked means that the numbers cannot be repaired for now.
var errNumbersLocked = errors.New("the sequence of event_outbox.seq was replaced or set back, and event_outbox is locked, " +
	"so that events cannot be renumbered: transactions that write to it took longer than the relay waits for them; end long ones")

// termOver is an error that ends the term, although no other relay has begun one: what the term knows is about
// former numbers.
type termOver struct{ cause error }

func (e termOver) Error() string   { return e.cause.Error() + "; a new term begins" }
func (e termOver) Unwrap() []error { return []error{e.cause, relay.ErrLeaseLost} }

var errRepaired = termOver{fmt.Errorf("%w; the numbers are repaired", errNumbers)}

// numbers is what a term knows about a repair of the numbers.
type numbers struct {
	doubtful bool  // the repair is due
	over     bool  // it may have been made, so nothing may be written with the former numbers
	unknown  bool  // the outcome of a call is unknown
	first    int64 // the number of the cursor row of the first call that may have been carried out; 0: none
}

// repairs is what a store knows about the repairs that it has tried.
type repairs struct {
	next  time.Time // not before that
	pause time.Duration
	err   error // of the last one
	vain  int   // how many changed nothing, since the cursor has passed a tick
}

// repairEnd says how a call that repairs numbers has ended.
type repairEnd int

const (
	nothingChanged repairEnd = iota
	carriedOut
	outcomeUnknown
)

const (
	// repairLimit limits one repair. It is more than that of other statements, because a repair
	// that is rolled back has kept writers waiting for nothing.
	repairLimit = 10 * time.Minute

	firstRepairPause   = 100 * time.Millisecond
	longestRepairPause = 10 * time.Second

	// A repair that takes long and fails has kept writers waiting for nothing. So the next one comes after
	// repairRest times as long, but not later than longestRepairRest. Until then nothing is published. One
	// that failed before it could ask for a lock has kept nobody waiting.
	repairRest        = 9
	longestRepairRest = 30 * time.Minute

	// repairIdle is how long the server waits for the relay within a repair, because writers wait too.
	// If it hears nothing, it rolls back.
	repairIdle = 5 * time.Second
	// repairLooks is how often the server looks whether the relay is still there.
	repairLooks = 5 * time.Second

	mostVainRepairs = 2

	// repairRows is how many rows a repair may look at while writers wait, which takes some seconds
	// for each 100,000.
	repairRows = 200_000
)

// mayRepair returns an error if it is too early for another repair, or if none helps.
func (s *LogStore) mayRepair() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.repairs
	switch {
	case r.vain >= mostVainRepairs:
		return &relay.SetupError{
			Problem: errNumbers.Error() + fmt.Sprintf(", and %d repairs in a row found nothing to change", r.vain),
			Remedy:  adoptRemedy,
		}
	case time.Until(r.next) > longestRepairPause:
		return fmt.Errorf("%w; the attempt has kept writers waiting, so the next one comes in %s", r.err, time.Until(r.next).Round(time.Second))
	case time.Now().Before(r.next):
		return r.err
	}
	return nil
}

// noteRepair records how a repair ended. events is how many got another number, and asked is when the
// function was called that asks for a lock; zero: it was not.
func (s *LogStore) noteRepair(asked time.Time, events int64, err error) {
	locked, overtaken := errors.Is(err, errNumbersLocked), errors.Is(err, errOvertaken)
	switch {
	case locked:
		s.repairLocks.failed()
	case err == nil, overtaken:
		s.repairLocks.got()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.repairs
	_, setup := errors.AsType[*relay.SetupError](err)
	switch {
	case setup, errors.Is(err, relay.ErrLeaseLost):
	case err != nil:
		r.err = err
		r.pause = min(max(2*r.pause, firstRepairPause), longestRepairPause)
		pause := r.pause
		if !asked.IsZero() && !locked && !overtaken {
			pause = max(pause, min(repairRest*time.Since(asked), longestRepairRest))
		}
		r.next = time.Now().Add(pause)
	case events > 0:
		*r = repairs{}
	default:
		*r = repairs{vain: r.vain + 1}
	}
}

// repaired repairs the numbers if err, the error of a call in a term, says that this is necessary, or if one
// did before. Then the term is over.
func (s *LogStore) repaired(ctx context.Context, what string, t *term, err error) error {
	s.mu.Lock()
	lt := s.of
	s.mu.Unlock()
	if lt == nil || lt.term != t { // the call says nothing about another term
		return err
	}
	lt.mu.Lock()
	lt.numbers.doubtful = lt.numbers.doubtful || isDoubtful(err)
	doubtful := lt.numbers.doubtful
	lt.mu.Unlock()
	if !doubtful || errors.Is(err, relay.ErrLeaseLost) {
		return err
	}
	return s.underLease(ctx, what, useForSettling, t.lease, func(t *term, se *session) (int64, error) {
		return 0, s.repair(ctx, t, se, lt)
	})
}

// repair repairs the numbers, and returns an error in any case.
func (s *LogStore) repair(ctx context.Context, t *term, se *session, lt *logTerm) error {
	select {
	case <-lt.writing:
		defer func() { lt.writing <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	row, err := storedCursor(ctx, se)
	if err != nil {
		return err
	}
	lt.mu.Lock()
	if lt.numbers.first > 0 && row.N >= lt.numbers.first {
		lt.mu.Unlock()
		return errRepaired // an earlier call was carried out
	}
	if err := s.mayRepair(); err != nil {
		lt.mu.Unlock()
		return err
	}
	lt.n = max(lt.n, row.N) + 1
	next, seen := lt.n, lt.seen
	if lt.numbers.first == 0 {
		lt.numbers.first = next
	}
	lt.numbers.over = true
	lt.mu.Unlock()

	end, err := s.renumber(ctx, t, se, row, next, seen)
	lt.mu.Lock()
	defer lt.mu.Unlock()
	switch {
	case end == carriedOut:
		return errRepaired
	case end == outcomeUnknown:
		lt.numbers.unknown = true
	case !lt.numbers.unknown:
		// The term goes on, and the cursor gets higher numbers.
		lt.numbers.over, lt.numbers.first = false, 0
	}
	return err
}

// renumber calls the function that repairs the numbers: see log.up.sql of package migrations.
// former is the newest cursor row, and next the number of the row that replaces it. seen is the newest
// snapshot that was taken before the sequence stood where it belongs; "": none was in this term.
func (s *LogStore) renumber(ctx context.Context, t *term, se *session, former pgdb.LogCursorRow, next int64, seen string) (end repairEnd, err error) {
	var events int64
	var asked time.Time
	defer func() { s.noteRepair(asked, events, err) }()
	if err := t.register(ctx, s.Store, se); err != nil {
		return nothingChanged, err
	}
	listed, err := logcursor.Decode(former.Ahead)
	if err != nil {
		return nothingChanged, fmt.Errorf("event_outbox_cursor.ahead: %w", err)
	}
	arg := pgdb.RenumberParams{
		Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder, Former: former.N, Next: next, Listed: append([]int64{}, listed...),
	}
	if seen != "" {
		arg.Seen = &seen
	}
	wait := s.repairLocks.wait(repairLimit)
	arg.LockWait = milliseconds(wait)
	limited, cancel := callctx.WithoutDeadline(ctx, repairLimit, s.ctx)
	defer cancel()
	err = pgx.BeginFunc(limited, se.conn, func(tx pgx.Tx) error {
		q := pgdb.New(s.names.qualify(tx))
		if err := q.SetUpTransaction(limited, s.repairSettings()); err != nil {
			return err
		}
		rows, err := q.LogUnpassed(limited, pgdb.LogUnpassedParams{Base: former.Base, MaxRows: s.repairRows + 1})
		if err != nil {
			return err
		}
		if rows > int64(s.repairRows) {
			return s.tooMany()
		}
		asked = time.Now()
		outcome, err := q.Renumber(limited, arg)
		code := sqlstate.Code(err)
		switch {
		case err != nil && (code == "" || sqlstate.ConnectionException(code) || strings.HasPrefix(code, serverEnds)):
			end = outcomeUnknown // the answer is not about the statement
			return err
		case err != nil:
			return err
		case outcome == "lost":
			return relay.ErrLeaseLost
		case outcome == "changed":
			return errOvertaken
		case outcome == "locked":
			return fmt.Errorf("%w (it waited %v, and waits up to %v)", errNumbersLocked, wait, longestLockWait)
		}
		if events, err = strconv.ParseInt(outcome, 10, 64); err != nil {
			return fmt.Errorf("event_outbox_renumber returned %q", outcome)
		}
		end = outcomeUnknown // until COMMIT has succeeded, whatever its error says
		return nil
	})
	if missing := s.lacks(err); missing != nil {
		return end, missing
	}
	_, setup := errors.AsType[*relay.SetupError](err)
	switch {
	case setup, errors.Is(err, relay.ErrLeaseLost), errors.Is(err, errOvertaken), errors.Is(err, errNumbersLocked):
		return end, err
	case err != nil:
		return end, fmt.Errorf("give events other numbers: %w", err)
	case events == 0:
		s.cfg.Logger.WarnContext(ctx, "the sequence of event_outbox.seq seemed to be replaced or set back; no event needs another number",
			slog.String("lease", s.cfg.Name))
	default:
		s.cfg.Logger.WarnContext(ctx, "the sequence of event_outbox.seq was replaced or set back; events that are not published have other numbers now, "+
			"the sequence stands at the highest one, and events that were sent lately may be sent again",
			slog.String("lease", s.cfg.Name), slog.Int64("events", events))
	}
	return carriedOut, nil
}

// lacks returns the error about a function that a repair lacks, or a privilege; nil if err says nothing of
// that. The function that repairs numbers calls another one, with the rights of its owner.
func (s *LogStore) lacks(err error) error {
	const undefinedFunction = "42883"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	function := s.relation(renumberRows) + renumberArguments
	called := strings.Contains(pgErr.Message, renumberRows)
	setup := &relay.SetupError{Err: err}
	switch {
	case pgErr.Code == sqlstate.Denied && called:
		setup.Problem = errNumbers.Error() + ", and the relay's role may not call " + function
		setup.Remedy = "GRANT EXECUTE ON FUNCTION " + function + " TO the role that the relay logs in as"
	case pgErr.Code == sqlstate.Denied:
		setup.Problem = errNumbers.Error() + ", and a role lacks a privilege: " + pgErr.Message
		setup.Remedy = "make the owner of event_outbox the owner of all tables and functions of the log"
	case pgErr.Code == undefinedFunction && called:
		setup.Problem = errNumbers.Error() + ", and the function " + function + " is missing"
		setup.Remedy = createLogRemedy + ", as far as it is missing"
	case pgErr.Code == undefinedFunction:
		setup.Problem = errNumbers.Error() + ", and a function is missing: " + pgErr.Message
		setup.Remedy = createLogRemedy + ", as far as it is missing"
	default:
		return nil
	}
	return setup
}

// serverEnds is how the SQLSTATEs begin with which a server ends a session, or a pooler in its place.
const serverEnds = "57P"

// repairSettings are those of the transaction of a repair.
func (s *LogStore) repairSettings() pgdb.SetUpTransactionParams {
	return pgdb.SetUpTransactionParams{
		Names:  []string{"statement_timeout", "idle_in_transaction_session_timeout", "client_connection_check_interval"},
		Values: []string{milliseconds(repairLimit), milliseconds(s.repairIdle), milliseconds(repairLooks)},
	}
}

// tooMany returns the error about more rows than a repair may look at.
func (s *LogStore) tooMany() error {
	return &relay.SetupError{
		Problem: errNumbers.Error() + fmt.Sprintf(", and more than %d rows are not behind the cursor, so that writers would wait long for a repair", s.repairRows),
		Remedy: "stop the relays, and when writers may wait, run as the owner of the tables: SELECT " + s.relation(renumberRows) +
			"(l.name, l.epoch, l.holder, c.n, c.n + 1, '{}', NULL) FROM " + s.relation("event_outbox_lease") + " AS l, " +
			s.relation("event_outbox_cursor") + " AS c ORDER BY c.n DESC LIMIT 1. It returns how many rows have other numbers, or `locked`: then run it again. " +
			"After SET outbox.lock_wait = '2s' it waits longer for writers. Events that were sent lately may be sent again",
	}
}

// termBegins reads the cursor with which a term begins. If the numbers of rows may come again, it
// repairs them first.
func (s *LogStore) termBegins(ctx context.Context, t *term, se *session) (row pgdb.LogCursorRow, c logcursor.Cursor, entries int64, err error) {
	for again := false; ; again = true {
		highest, err := se.q.LogHighest(ctx) // before the place of the sequence
		if err != nil {
			return row, c, 0, fmt.Errorf("read the highest seq: %w", err)
		}
		if row, err = storedCursor(ctx, se); err != nil {
			return row, c, 0, err
		}
		if c, err = readCursor(row); err != nil {
			return row, c, 0, err
		}
		doubtful := s.doubted == t || row.System != 0 && row.SequenceFile != row.SequenceFileNow || row.Standing < max(highest.Seq, highestOf(c, row.Floor))
		switch {
		case !doubtful:
			return row, c, highest.Entry, nil
		case again:
			return row, c, 0, errNumbers // somebody has set it back again
		}
		s.doubted = t
		if err := s.mayRepair(); err != nil {
			return row, c, 0, err
		}
		end, err := s.renumber(ctx, t, se, row, row.N+1, "")
		if end == outcomeUnknown {
			err = termOver{err} // the take-over waits for its end
		}
		if err != nil {
			return row, c, 0, err
		}
		s.doubted = nil
	}
}

// idsOf returns the ids of rows that the window has, and else zeros. It requires lt.mu.
func (lt *logTerm) idsOf(failed []relay.Failure) []uuid.UUID {
	ids := make([]uuid.UUID, len(failed))
	for i, f := range failed {
		ids[i], _ = lt.w.ID(f.Seq)
	}
	return ids
}
