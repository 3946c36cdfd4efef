package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// Beginner begins transactions: a connection or a pool.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// outcome counts what a decision changed and what the audit took of it.
type outcome struct{ Changed, Audited int64 }

// decision is what an operator decides about each T: a dead letter or a delayed event.
type decision[T any] struct {
	nouns        string // of several T
	table, state string // where they are, and what they are no longer afterwards
	unaudited    string // what an entry that is missing in the audit means; "": nothing else
	most         int    // how many there can be; 0: not known
	read         func(tx pgx.Tx, after T) ([]T, error)
	act          func(q *admindb.Queries, page []T) (outcome, error)
	still        func(q *admindb.Queries, page []T) (int64, error) // counts those that are still in the state
	allowed      func(tx pgx.Tx, page []T) error                   // asked after act; nil: everything is
}

// carryOut acts page by page, each in its own transaction, and returns how many were
// changed.
func (c decision[T]) carryOut(ctx context.Context, conn Beginner, d Decision) (int, error) {
	if err := d.Validate(); err != nil {
		return 0, err
	}
	var after T
	for done, seen := 0, 0; ; {
		var page []T
		var acted outcome
		err := transact(ctx, conn, func(tx pgx.Tx) error {
			var err error
			if page, err = c.read(tx, after); err != nil || len(page) == 0 {
				return err
			}
			if acted, err = c.act(admindb.New(tx), page); err != nil {
				return fmt.Errorf("admin: %w", missing(err))
			}
			if err := c.verify(admindb.New(tx), page, acted); err != nil || c.allowed == nil {
				return err
			}
			return c.allowed(tx, page)
		})
		if err != nil {
			return done, err
		}
		done, seen = done+int(acted.Changed), seen+len(page)
		if len(page) < pageRows || c.most > 0 && seen >= c.most {
			return done, nil
		}
		after = page[len(page)-1]
	}
}

// transact runs f in a transaction. A commit that has begun is finished when ctx ends, so that
// the caller learns whether it was made.
func transact(ctx context.Context, conn Beginner, f func(pgx.Tx) error) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("admin: begin: %w", err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // after a commit there is nothing to undo; otherwise the connection is closed
	if err := writable(ctx, tx); err != nil {
		return fmt.Errorf("admin: begin: %w", err)
	}
	if err := f(tx); err != nil {
		return err
	}
	late, end := finishing(ctx, batchGrace)
	defer end()
	err = tx.Commit(late)
	switch {
	case err == nil:
		return nil
	case sqlstate.CommitFailed(err) || errors.Is(err, pgx.ErrTxCommitRollback):
		return fmt.Errorf("admin: commit: %w", err)
	}
	return fmt.Errorf("admin: the connection was lost during the commit of the last transaction; event_outbox_audit shows whether it was made: %w", err)
}

// writable overrides the defaults of the database for a transaction.
func writable(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
	return err
}

// verify checks that a decision was carried out, and recorded in the audit. A trigger may
// have prevented either without an error.
func (c decision[T]) verify(q *admindb.Queries, page []T, acted outcome) error {
	if acted.Audited != acted.Changed {
		return fmt.Errorf("admin: event_outbox_audit took %d of %d entries%s; this transaction changed nothing: "+
			"look for a trigger on event_outbox_audit", acted.Audited, acted.Changed, c.unaudited)
	}
	still, err := c.still(q, page)
	if err != nil {
		return fmt.Errorf("admin: look at the %s again: %w", c.nouns, err)
	}
	if still > 0 {
		return fmt.Errorf("admin: %d of %d %s are still %s; this transaction changed nothing: "+
			"look for a trigger on %s that keeps rows as they are", still, len(page), c.nouns, c.state, c.table)
	}
	return nil
}
