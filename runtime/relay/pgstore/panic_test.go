package pgstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// panics is a tracer whose methods panic.
type panics struct{}

func (panics) TraceQueryStart(context.Context, *pgx.Conn, pgx.TraceQueryStartData) context.Context {
	panic("oh")
}
func (panics) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) { panic("oh") }
func (panics) TracePrepareStart(context.Context, *pgx.Conn, pgx.TracePrepareStartData) context.Context {
	panic("oh")
}
func (panics) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) { panic("oh") }
func (panics) TraceConnectStart(context.Context, pgx.TraceConnectStartData) context.Context {
	panic("oh")
}
func (panics) TraceConnectEnd(context.Context, pgx.TraceConnectEndData) { panic("oh") }

// A tracer that panics is skipped, and logged once: the store also works in goroutines
// of its own, where a panic would end the process.
func TestATracerThatPanics(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var log bytes.Buffer
		s := newStore(t, pg, func(c *pgstore.Config) {
			c.Conn.Tracer, c.Logger = panics{}, slog.New(slog.NewTextHandler(&log, nil))
		})
		must(t, s.Check(t.Context()))
		lease := lead(t, s)
		insert(t, pg.Pool, "a")
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		s.Close()
		const line = "the tracer of the database connections panicked; its call is skipped"
		if text := log.String(); strings.Count(text, line) != 1 || !strings.Contains(text, "method=pgstore_test.panics.TraceConnectStart panic=oh stack=") {
			t.Errorf("the log is\n%s", text)
		}
	})
}

// counted is a connection that counts as open until it is closed.
type counted struct {
	net.Conn
	open   *atomic.Int64
	closed sync.Once
}

func (c *counted) Close() error {
	c.closed.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// Other code of the configuration that panics is named in the error, and leaves no
// connection open.
func TestConfiguredCodeThatPanics(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for name, test := range map[string]struct {
			change func(*pgx.ConnConfig)
			want   string
		}{
			"LookupFunc": {
				func(c *pgx.ConnConfig) {
					c.Host, c.LookupFunc = "db.example", func(context.Context, string) ([]string, error) { panic("oh") }
				},
				"LookupFunc of the connection's configuration panicked: oh",
			},
			"DialFunc": {
				func(c *pgx.ConnConfig) {
					c.DialFunc = func(context.Context, string, string) (net.Conn, error) { panic("oh") }
				},
				"code in the configuration of the connection, such as its tracer or DialFunc, at ",
			},
			"AfterConnect": {
				func(c *pgx.ConnConfig) {
					c.AfterConnect = func(context.Context, *pgconn.PgConn) error { panic("oh") }
				},
				"panicked: oh",
			},
		} {
			var log bytes.Buffer
			var open atomic.Int64
			s := newStore(t, pg, func(c *pgstore.Config) {
				dial := c.Conn.DialFunc
				c.Conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := dial(ctx, network, address)
					if err != nil {
						return nil, err
					}
					open.Add(1)
					return &counted{Conn: conn, open: &open}, nil
				}
				test.change(c.Conn)
				c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			})
			_, err := s.Observe(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", name, err)
			}
			s.Close()
			if n := open.Load(); n != 0 {
				t.Errorf("%s: %d connections were left open", name, n)
			}
			if !strings.Contains(log.String(), "code in the configuration of the database connections panicked, retrying") {
				t.Errorf("%s: the log is\n%s", name, log.String())
			}
		}
	})
}
