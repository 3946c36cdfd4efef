package pgstore

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// mostRenewals limits the renewals of one transaction.
const mostRenewals = 100

// errLeaseLocked means that another session has locked the lease row, so that it could
// not be renewed now.
var errLeaseLocked = errors.New("the lease row is locked by another session; look in pg_locks for who locks event_outbox_lease")

// renewals are leases that wait to be renewed. Those that come during a transaction
// share the next one, because the cost of a renewal is its commit.
type renewals struct {
	mu      sync.Mutex
	waiting []*renewal
	busy    bool // a goroutine is renewing
}

type renewal struct {
	sql   string
	alone string // the statement without the tables beside the lease's
	args  pgdb.RenewLeaseParams
	done  chan struct{}
	row   pgdb.RenewLeaseRow // set when done
	err   error
}

// renew renews one lease, together with others.
func (a *anchor) renew(ctx context.Context, names *tableNames, args pgdb.RenewLeaseParams) (pgdb.RenewLeaseRow, error) {
	r := &renewal{
		sql: names.statement(pgdb.RenewLease), alone: names.statement(pgdb.RenewLeaseAlone), args: args, done: make(chan struct{}),
	}
	a.renewals.mu.Lock()
	a.renewals.waiting = append(a.renewals.waiting, r)
	start := !a.renewals.busy
	a.renewals.busy = true
	a.renewals.mu.Unlock()
	if start {
		a.run.server.work.Go(a.renewAll)
	}
	select {
	case <-r.done:
		return r.row, r.err
	case <-ctx.Done():
		return pgdb.RenewLeaseRow{}, context.Cause(ctx)
	}
}

// renewAll renews the waiting leases until there are none.
func (a *anchor) renewAll() {
	for {
		a.renewals.mu.Lock()
		now := a.renewals.waiting[:min(len(a.renewals.waiting), mostRenewals)]
		a.renewals.waiting = a.renewals.waiting[len(now):]
		a.renewals.busy = len(now) > 0
		a.renewals.mu.Unlock()
		if len(now) == 0 {
			return
		}
		a.renewHalves(now)
		for _, r := range now {
			close(r.done)
		}
	}
}

// renewHalves renews leases together. If one fails, for example because its schema was
// dropped, all in its transaction fail, so it tries halves until the bad one is alone.
func (a *anchor) renewHalves(now []*renewal) {
	err := a.renewTogether(now)
	switch {
	case err == nil || a.run.reason() != nil:
		return
	case len(now) == 1 && isLockTimeout(err):
		a.renewAlone(now[0])
		return
	case len(now) == 1:
		return
	}
	half := len(now) / 2
	a.renewHalves(now[:half])
	a.renewHalves(now[half:])
}

// renewTogether renews leases in one transaction, and stores the results.
func (a *anchor) renewTogether(now []*renewal) error {
	rows, err := onAnchor(a.run.server.ctx, a, noNames, func(ctx context.Context, s *session) ([]pgdb.RenewLeaseRow, error) {
		batch := &pgx.Batch{}
		rows := make([]pgdb.RenewLeaseRow, len(now))
		for i, r := range now {
			batch.Queue(r.sql, r.args.Name, r.args.Epoch, r.args.Holder, r.args.LookedAt, r.args.Progress, r.args.Suspect, r.args.State).
				QueryRow(func(row pgx.Row) error {
					return row.Scan(&rows[i].Renewed, &rows[i].Held, &rows[i].Decided, &rows[i].Pauses, &rows[i].DueInUs)
				})
		}
		return rows, s.conn.SendBatch(ctx, batch).Close()
	})
	for i, r := range now {
		r.err = err
		if err == nil {
			r.row = rows[i]
		}
	}
	return err
}

// renewAlone renews one lease although another session has locked a table beside the
// lease's, for example with VACUUM FULL. It does not learn of decisions, pauses and
// delayed events.
func (a *anchor) renewAlone(r *renewal) {
	r.row, r.err = onAnchor(a.run.server.ctx, a, noNames, func(ctx context.Context, s *session) (row pgdb.RenewLeaseRow, err error) {
		err = s.conn.QueryRow(ctx, r.alone, r.args.Name, r.args.Epoch, r.args.Holder, r.args.Progress, r.args.Suspect, r.args.State).
			Scan(&row.Renewed, &row.Held)
		row.DueInUs = -1
		return row, err
	})
}
