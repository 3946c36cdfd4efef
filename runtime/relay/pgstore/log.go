package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// takeSnapshot takes a snapshot and reads the end of the write-ahead log, and whether
// the log is on disk up to there. If the server does not report the position, the
// snapshot stands for it: see flush.
func (s *Store) takeSnapshot(ctx context.Context, se *session) (taken relay.Snapshot, filled string, flushed bool, err error) {
	if !s.withoutLog.Load() {
		row, err := se.q.TakeSnapshot(ctx)
		if !logUnavailable(err) {
			return relay.Snapshot(row.Snapshot), row.Filled, row.Flushed, err
		}
		s.goWithoutLog(ctx, err)
	}
	text, err := se.q.TakeSnapshotWithoutLog(ctx)
	return relay.Snapshot(text), withoutPosition + text, false, err
}

// withoutPosition marks a snapshot that stands for a position of the log.
const withoutPosition = "snapshot "

// flush waits until the log is on disk up to filled, a value from takeSnapshot.
//
// Without positions it commits its own change with synchronous_commit on. The log has
// the commit records of the snapshot's transactions before that of this change, and
// reaches the disk in this order.
func (s *Store) flush(ctx context.Context, t *term, se *session, filled string) error {
	if !s.withoutLog.Load() && !strings.HasPrefix(filled, withoutPosition) {
		flushed, err := se.q.IsFlushed(ctx, filled)
		if err == nil && !flushed {
			err = se.q.ForceFlush(ctx)
		}
		if !logUnavailable(err) {
			return err
		}
		s.goWithoutLog(ctx, err)
	}
	if err := t.register(ctx, s, se); err != nil {
		return err
	}
	leases, err := se.q.CommitForFlush(ctx, pgdb.CommitForFlushParams{
		Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
	})
	return lostUnless(leases > 0, err)
}

// goWithoutLog records that the server does not report positions of its write-ahead
// log, and warns the first time.
func (s *Store) goWithoutLog(ctx context.Context, cause error) {
	if s.withoutLog.Swap(true) {
		return
	}
	s.cfg.Logger.WarnContext(ctx, "the server does not report how far its write-ahead log is on disk; instead the relay commits "+
		"an update of its row in event_outbox_lease for each page of rows, before it sends them. "+
		"Rows that were inserted with synchronous_commit off may be sent before they are durable, "+
		"unless the server makes commits durable in their order, as Postgres does. "+
		"To get the positions: on Amazon Aurora set rds.logical_replication to 1 and reboot; elsewhere ask the provider for "+
		"pg_current_wal_insert_lsn, pg_current_wal_flush_lsn and pg_logical_emit_message",
		"store", s.where, "error", cause)
}

// probeLog tries the functions of the write-ahead log: a server can have them and
// refuse to run them.
func (s *Store) probeLog(ctx context.Context, se *session) error {
	_, err := se.q.TryFunctions(ctx)
	if unsupported(err) {
		return &relay.SetupError{
			Problem: "the server has no transaction snapshots, which the relay needs",
			Remedy:  serverRemedy,
			Err:     err,
		}
	}
	if err != nil {
		return fmt.Errorf("read the state of transactions: %w", err)
	}
	taken, err := se.q.TakeSnapshot(ctx)
	if err == nil {
		_, err = se.q.IsFlushed(ctx, taken.Filled)
	}
	if err == nil {
		err = se.q.ForceFlush(ctx)
	}
	switch {
	case err == nil:
		s.withoutLog.Store(false)
	case logUnavailable(err):
		s.goWithoutLog(ctx, err)
	default:
		return fmt.Errorf("find out how far the write-ahead log is on disk: %w", err)
	}
	return nil
}

// logUnavailable reports whether a server refused to run functions of the write-ahead
// log. (A missing privilege of the role is another problem: checkServer says what to
// grant.)
func logUnavailable(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	const objectNotInPrerequisiteState = "55000" // Aurora, unless wal_level is logical
	return pgErr.Code == objectNotInPrerequisiteState || unsupported(err)
}

// unsupported reports whether the server lacks a function or does not support it.
func unsupported(err error) bool {
	const featureNotSupported, undefinedFunction, undefinedObject = "0A000", "42883", "42704"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == featureNotSupported || pgErr.Code == undefinedFunction || pgErr.Code == undefinedObject)
}
