package relay_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// namesSink records which rows are sent together, and which row the lease row names at
// that time.
type namesSink struct {
	relay.Sink
	store relay.Store
	mu    sync.Mutex
	sent  []sentRow
}

type sentRow struct {
	Seqs  []int64
	Named int64
}

func (s *namesSink) Open(ctx context.Context) (relay.Producer, error) {
	p, err := s.Sink.Open(ctx)
	return &namesProducer{p, s}, err
}

type namesProducer struct {
	relay.Producer
	s *namesSink
}

func (p *namesProducer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	lease, err := p.s.store.Observe(ctx)
	if err != nil {
		panic(err) // the one in memory always answers
	}
	row := sentRow{Named: lease.Suspect}
	for i := range wave {
		row.Seqs = append(row.Seqs, wave[i].Seq)
	}
	p.s.mu.Lock()
	p.s.sent = append(p.s.sent, row)
	p.s.mu.Unlock()
	p.Producer.Send(ctx, wave, results)
}

// After three unclean ends every row is named before it is sent alone, also the one
// after rows that cannot be sent.
func TestEachSuspectIsNamedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := relay.NewMemStore()
		all := rows(6, "t", "")
		for i, k := range []string{"a", "b", "c", "d", "e", "f"} {
			all[i].Key = key(k)
		}
		for _, i := range []int{0, 2, 3} {
			all[i].Headers = []byte(`[]`)
		}
		store.Add(all...)
		diedThrice(t, store)
		sink := &namesSink{Sink: relay.NewStdoutSink(&lines{}), store: store}
		r := start(t, relay.Config{Store: store, Clock: newFakeTime(), Sink: sink, RetryMin: time.Hour, RetryMax: time.Hour})
		r.w.publishes(t, 3)
		r.stop()
		want := []sentRow{{[]int64{2}, 2}, {[]int64{5}, 5}, {[]int64{6}, 6}}
		if diff := cmp.Diff(want, sink.sent); diff != "" {
			t.Errorf("what was sent, and what was named (-want +got):\n%s", diff)
		}
	})
}

// failingRenewals is a store that refuses the first renewals which name a row.
type failingRenewals struct {
	relay.Store
	mu      sync.Mutex
	refuse  int
	refused []time.Time
}

func (s *failingRenewals) Renew(ctx context.Context, l relay.Lease, p relay.Progress) (relay.Renewal, error) {
	s.mu.Lock()
	refuse := p.Suspect != 0 && len(s.refused) < s.refuse
	if refuse {
		s.refused = append(s.refused, time.Now())
	}
	s.mu.Unlock()
	if refuse {
		return relay.Renewal{}, errors.New("no renewals now")
	}
	return s.Store.Renew(ctx, l, p)
}

// While the store fails, a row that has to be named does not make the leader retry
// without a pause.
func TestRenewalsThatNameARowPauseAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := relay.NewMemStore()
		mem.Add(rows(1, "t", "a")...)
		diedThrice(t, mem)
		store := &failingRenewals{Store: mem, refuse: 4}
		r := start(t, relay.Config{Store: store, Clock: newFakeTime(), Sink: relay.NewStdoutSink(&lines{})})
		r.w.publishes(t, 1)
		r.stop()
		if len(store.refused) != store.refuse {
			t.Fatalf("%d renewals named a row and were refused, want %d", len(store.refused), store.refuse)
		}
		// A quarter of the second between two renewals.
		if took := store.refused[3].Sub(store.refused[0]); took < 700*time.Millisecond {
			t.Errorf("four refused renewals within %s", took)
		}
	})
}

// diedThrice leaves the lease as three leaders do that die without progress.
func diedThrice(t *testing.T, store relay.Store) {
	t.Helper()
	for range 3 {
		seen, err := store.Observe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.TakeOver(t.Context(), seen, uuid.New()); err != nil {
			t.Fatal(err)
		}
	}
}
