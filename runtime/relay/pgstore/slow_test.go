package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/slownet"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A network on which a session takes longer to open than a silent address may take to
// give any answer: an address that answers is not given up, nor tried last.
func TestASlowAddressIsNotASilentOne(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.DialFunc = slownet.Dial(t, 500*time.Millisecond) })
		_, err := s.Observe(t.Context())
		must(t, err)
	})
}

// impatient are callers that give up when a statement comes.
type impatient struct {
	text string // of the statement

	mu     sync.Mutex
	giveUp context.CancelFunc // of the caller of the moment
	asked  map[*pgx.Conn]bool
	writes int // of checks
}

func (i *impatient) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	i.mu.Lock()
	defer i.mu.Unlock()
	if strings.Contains(data.SQL, i.text) && !i.asked[conn] {
		i.asked[conn] = true
		i.giveUp()
	}
	if strings.Contains(data.SQL, "-- name: TryLeaseInsert") {
		i.writes++
	}
	return ctx
}

func (*impatient) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// On a slow network a check takes longer than a caller has. It goes on without that
// caller, and the next one gets its answer.
func TestACheckOutlivesItsCaller(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for name, text := range map[string]string{
			"looking for a pooler":  "set_config('outboxgen.session'",
			"looking at the server": "-- name: DescribeServer",
			"trying a write":        "-- name: TryLeaseInsert",
		} {
			callers := &impatient{text: text, asked: map[*pgx.Conn]bool{}}
			s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = callers })
			check := func() error {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				callers.mu.Lock()
				callers.giveUp = cancel
				callers.mu.Unlock()
				return s.Check(ctx)
			}
			if err := check(); !errors.Is(err, context.Canceled) {
				t.Fatalf("%s: the first check: %v, want that its caller gave up", name, err)
			}
			if err := check(); err != nil {
				t.Errorf("%s: the second check: %v", name, err)
			}
			s.Close()
			if diff := cmp.Diff([2]int{1, 1}, [2]int{len(callers.asked), callers.writes}); diff != "" {
				t.Errorf("%s: given up and checked (-want +got):\n%s", name, diff)
			}
		}
	})
}
