package pgstore_test

import (
	"bytes"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/migrations"
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
		_, warning, _ := strings.Cut(log.String(), `level=WARN msg="two`)
		warning, _, _ = strings.Cut(warning, "\n")
		got[name] = strings.NewReplacer(at(former), "FORMER", at(latest), "PROMOTED").Replace(warning)
	}
	const warning = ` servers accept writes, using the one that was promoted last" using=PROMOTED timeline=2 former_primary=FORMER its_timeline=1 ` +
		`remedy="fence the former primary, FORMER: stop it, or cut it off the network"`
	if diff := cmp.Diff(map[string]string{"former one first": warning, "promoted one first": warning}, got); diff != "" {
		t.Errorf("what the log says (-want +got):\n%s", diff)
	}
}
