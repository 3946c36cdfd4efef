package pgstore_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/slownet"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// After a fail-over the former primary may come back and accept writes. The warning names the
// server to fence, whichever comes first in the address.
func TestTwoServersAcceptWrites(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	owner := pg.Connect(t.Context())
	must(t, migrations.Up(t.Context(), owner))
	promoted, err := pg.Standby(t.Context())
	must(t, err)
	defer func() { must(t, promoted.Close()) }()
	must(t, promoted.Promote(t.Context()))
	former, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	latest, err := pgx.ParseConfig(promoted.URL(pg.Database))
	must(t, err)
	at := func(c *pgx.ConnConfig) string { return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) }
	got := map[string]string{}
	for name, order := range map[string][2]*pgx.ConnConfig{"former one first": {former, latest}, "promoted one first": {latest, former}} {
		conn := order[0].Copy()
		conn.Fallbacks = []*pgconn.FallbackConfig{{Host: order[1].Host, Port: order[1].Port}}
		conn.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		var log bytes.Buffer
		store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		must(t, err)
		_, err = store.Observe(t.Context())
		must(t, err)
		store.Close()
		warning := func() string {
			_, text, _ := strings.Cut(log.String(), `level=WARN msg="two`)
			text, _, _ = strings.Cut(text, "\n")
			log.Reset()
			return strings.NewReplacer(at(former), "FORMER", at(latest), "PROMOTED").Replace(text)
		}
		got[name] = warning()

		tool, err := pgstore.ConnectLogged(t.Context(), conn, slog.New(slog.NewTextHandler(&log, nil)))
		must(t, err)
		if tool.Config().Port != latest.Port {
			t.Errorf("a tool uses the former primary, with the %s", name)
		}
		must(t, tool.Close(t.Context()))
		got["a tool, "+name] = warning()
	}
	const warning = ` servers accept writes, using the one that was promoted last" used=PROMOTED timeline=2 former_primary=FORMER its_timeline=1 ` +
		`remedy="fence the former primary, FORMER: stop it, or cut it off the network"`
	want := map[string]string{
		"former one first": warning, "promoted one first": warning,
		"a tool, former one first": warning, "a tool, promoted one first": warning,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what the log says (-want +got):\n%s", diff)
	}

	// The promoted server answers more slowly than a probe may take.
	conn := latest.Copy()
	conn.ConnectTimeout = patience
	conn.Fallbacks = []*pgconn.FallbackConfig{{Host: former.Host, Port: former.Port}}
	slow, promotedAt := slownet.Dial(t, 6*time.Second/5), at(latest)
	conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == promotedAt {
			return slow(ctx, network, address)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	tool, err := pgstore.ConnectLogged(t.Context(), conn, nil)
	must(t, err)
	if tool.Config().Port != latest.Port {
		t.Error("a tool uses the former primary, because the promoted one is slow")
	}
	must(t, tool.Close(t.Context()))
}
