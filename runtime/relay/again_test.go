package relay_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// againCounter counts how often rows are read again, and for how many keys.
type againCounter struct {
	relay.Store
	mu          sync.Mutex
	reads, keys int
}

func (c *againCounter) ReadAgain(ctx context.Context, s relay.Snapshot, rows relay.Selection, after, upTo int64, limit relay.Limit) (relay.Page, error) {
	c.mu.Lock()
	c.reads++
	c.keys += len(rows.Keys)
	c.mu.Unlock()
	return c.Store.ReadAgain(ctx, s, rows, after, upTo, limit)
}

// Keys whose waits end together are read again together: each reading goes through all
// rows that wait.
func TestKeysFreedTogetherAreReadTogether(t *testing.T) {
	t.Parallel()
	const n = 200
	mem := relay.NewMemStore()
	for i := range n {
		bad := rows(3, "t", fmt.Sprintf("k%d", i))
		bad[0].Headers = []byte(`[]`)
		mem.Add(bad...)
	}
	store := &againCounter{Store: mem}
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(&lines{}), MaxAttempts: 2, RetryMin: 200 * time.Millisecond, RetryMax: 200 * time.Millisecond,
	})
	r.w.publishes(t, 2*n)
	r.stop()
	// All keys wait twice, and the next scan reads what one scan leaves out.
	if store.keys < 2*n || store.reads > n/4 {
		t.Errorf("%d readings for %d keys", store.reads, store.keys)
	}
	t.Logf("%d readings for %d keys", store.reads, store.keys)
}
