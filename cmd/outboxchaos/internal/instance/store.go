package instance

import (
	"context"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// anyStore is the store of a table or of a log.
type anyStore interface {
	relay.Store
	relay.Delayer
	relay.Idler
	relay.Tidier
	relay.Pauser
	relay.ReleaseHints
	Settings() map[string]string
}

func openStore(cfg pgstore.Config, isLog bool) (anyStore, error) {
	if isLog {
		return pgstore.NewLogStore(cfg)
	}
	return pgstore.New(cfg)
}

// store wraps the relay's store.
type store struct {
	anyStore
	points  *points
	journal *journal
	epoch   atomic.Int64 // of the current or latest term

	// Rules that are switched off, only by tests that show what the harness finds
	// without them.
	unfenced  *pgxpool.Pool // settle without checking the lease
	readBySeq bool          // a tick reads the rows above the highest seq that was read
	highest   atomic.Int64
}

func (s *store) TakeOver(ctx context.Context, seen relay.LeaseState, holder uuid.UUID) (relay.Lease, error) {
	s.points.hit(BeforeTakeOver)
	l, err := s.anyStore.TakeOver(ctx, seen, holder)
	if err == nil {
		s.epoch.Store(l.Epoch)
		s.highest.Store(0)
		s.points.hit(AfterTakeOver)
	}
	return l, err
}

func (s *store) Renew(ctx context.Context, l relay.Lease, progress relay.Progress) (relay.Renewal, error) {
	s.points.hit(BeforeRenew)
	renewal, err := s.anyStore.Renew(ctx, l, progress)
	s.points.hit(AfterRenew)
	return renewal, err
}

func (s *store) Release(ctx context.Context, l relay.Lease) error {
	s.points.hit(BeforeRelease)
	err := s.anyStore.Release(ctx, l)
	s.points.hit(AfterRelease)
	return err
}

func (s *store) ReadHeld(ctx context.Context, blocking relay.Blocking) ([]relay.HeldRow, error) {
	held, err := s.anyStore.ReadHeld(ctx, blocking)
	s.points.hit(AfterHeld)
	return held, err
}

func (s *store) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	snapshot, err := s.anyStore.Snapshot(ctx)
	s.points.hit(AfterSnapshot)
	return snapshot, err
}

func (s *store) ReadBacklog(ctx context.Context, at relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	page, err := s.anyStore.ReadBacklog(ctx, at, after, limit)
	s.saw(page)
	s.points.hit(AfterBacklog)
	return page, err
}

func (s *store) ReadTick(ctx context.Context, from, to relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	var page relay.Page
	var err error
	if s.readBySeq {
		page, err = s.anyStore.ReadBacklog(ctx, to, max(after, s.highest.Load()), limit)
	} else {
		page, err = s.anyStore.ReadTick(ctx, from, to, after, limit)
	}
	s.saw(page)
	if len(page.Rows) > 0 {
		s.points.hit(AfterTick)
	}
	return page, err
}

func (s *store) saw(page relay.Page) {
	if n := len(page.Rows); n > 0 {
		s.highest.Store(max(s.highest.Load(), page.Rows[n-1].Seq))
	}
}

func (s *store) ReadAgain(ctx context.Context, at relay.Snapshot, rows relay.Selection, after, upTo int64, limit relay.Limit) (relay.Page, error) {
	page, err := s.anyStore.ReadAgain(ctx, at, rows, after, upTo, limit)
	s.points.hit(AfterAgain)
	return page, err
}

func (s *store) Flushed(ctx context.Context, p relay.Page) error {
	err := s.anyStore.Flushed(ctx, p)
	s.points.hit(AfterFlushed)
	return err
}

func (s *store) Settle(ctx context.Context, l relay.Lease, settlement relay.Settlement) error {
	s.points.hit(BeforeSettle)
	err := s.anyStore.Settle(ctx, l, settlement)
	if s.unfenced != nil && err != nil {
		_, err = s.unfenced.Exec(context.WithoutCancel(ctx),
			`UPDATE event_outbox SET published_at = now() WHERE seq = ANY($1)`, settlement.Published)
	}
	if err == nil && len(settlement.Published) > 0 {
		s.journal.write(history.Entry{Kind: history.Settled, Epoch: l.Epoch, Seqs: settlement.Published})
	}
	s.points.hit(AfterSettle)
	return err
}

// withMaintenance returns the store with everything that the relay's one can do.
func (s *store) withMaintenance() relay.Store {
	if m, ok := s.anyStore.(relay.Maintainer); ok { // only the store of a log is one
		return struct {
			*store
			relay.Maintainer
		}{s, m}
	}
	return s
}

func (s *store) Close() {
	s.anyStore.Close()
	if s.unfenced != nil {
		s.unfenced.Close()
	}
}
