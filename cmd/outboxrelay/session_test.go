//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// silentPostgres accepts a session without a password, and never answers a query.
func silentPostgres(conn net.Conn) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(conn, size); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size))-4); err != nil {
		return
	}
	_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z', 0, 0, 0, 5, 'I'}) // authenticated, ready
	_, _ = io.Copy(io.Discard, conn)
}

// A command ends even if the server falls silent once a session is open.
func TestACommandLeavesASilentServer(t *testing.T) {
	t.Parallel()
	address := "postgres://u@" + tellTale(t, silentPostgres) + "/d?sslmode=disable"
	for _, args := range [][]string{{"status"}, {"dead"}, {"replay", "--all"}, {"discard", "--all", "--reason", "x", "--yes"}} {
		want := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: the database accepted the connection but did not respond within 20ms: " +
			"check the server and any pooler or proxy in front of it, or set a longer --timeout\n"}
		got := call(map[string]string{"DATABASE_URL": address}, append(args, "--timeout", "20ms")...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
}

// fussyPooler refuses parameters of a session that it does not know, as PgBouncer does, and is
// next otherwise.
func fussyPooler(next func(net.Conn)) func(net.Conn) {
	return func(client net.Conn) {
		size := make([]byte, 4)
		if _, err := io.ReadFull(client, size); err != nil {
			return
		}
		startup := make([]byte, binary.BigEndian.Uint32(size)-4)
		if _, err := io.ReadFull(client, startup); err != nil {
			return
		}
		if !strings.Contains(string(startup), "lock_timeout") {
			next(replayed{client, io.MultiReader(bytes.NewReader(size), bytes.NewReader(startup), client)})
			return
		}
		body := "SFATAL\x00C08P01\x00Munsupported startup parameter: lock_timeout\x00\x00"
		_, _ = client.Write(append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body)+4)), body...))
	}
}

// replayed is a connection of which a part was read already.
type replayed struct {
	net.Conn

	all io.Reader
}

func (r replayed) Read(b []byte) (int, error) { return r.all.Read(b) }

// A pooler may not know the limits. Then the commands work without them.
func TestACommandWorksBehindAPooler(t *testing.T) {
	t.Parallel()
	got := call(map[string]string{"DATABASE_URL": "postgres://u@" + tellTale(t, fussyPooler(silentPostgres)) + "/d?sslmode=disable"}, "status", "--timeout", "20ms")
	if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "the database accepted the connection but did not respond within 20ms") {
		t.Errorf("%+v", got)
	}
}

// freezing is a server that freezes when the second statement of a session arrives.
func freezing(t *testing.T, server *pgx.ConnConfig) func(net.Conn) {
	return func(client net.Conn) {
		network, address := pgconn.NetworkAddress(server.Host, server.Port)
		behind, err := new(net.Dialer).DialContext(t.Context(), network, address)
		if err != nil {
			if t.Context().Err() == nil { // a request to cancel may come when the test ends
				t.Error(err)
			}
			return
		}
		var answering sync.WaitGroup
		answering.Go(func() { _, _ = io.Copy(client, behind) }) // until it is closed
		defer answering.Wait()
		defer func() { _ = behind.Close() }()
		buffer := make([]byte, 64<<10)
		for statements := 0; ; {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			if bytes.HasPrefix(buffer[:n], []byte("P")) || bytes.HasPrefix(buffer[:n], []byte("Q")) { // Parse or Query
				statements++
			}
			if statements > 1 {
				continue
			}
			if _, err := behind.Write(buffer[:n]); err != nil {
				return
			}
		}
	}
}

// A server that freezes later does not keep a command for ever, whatever limits the address and
// a pooler set.
func TestACommandOfAServerThatFreezes(t *testing.T) {
	conn, env := newOutbox(t)
	config := conn.Config()
	const frozen = "the database did not answer a statement within 3s: its server, or the network to it, does not respond"
	for _, c := range []struct {
		name, parameters string
		server           func(net.Conn)
		want             string
	}{
		{"the usual limits", "", freezing(t, config), frozen},
		{"a limit of the address", "&statement_timeout=10min&lock_timeout=0", freezing(t, config), frozen},
		{"no limit", "&statement_timeout=0", freezing(t, config), frozen},
		{"a pooler refuses the limits", "", fussyPooler(freezing(t, config)), frozen + "; or the statement waits for a lock: the pooler in front of the database refuses lock_timeout"},
	} {
		env["DATABASE_URL"] = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable%s", url.UserPassword(config.User, config.Password), tellTale(t, c.server), config.Database, c.parameters)
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		code := executeUntil(ctx, []string{"status", "--timeout", "3s"}, environment{getenv: func(k string) string { return env[k] }, stdout: &out, stderr: &out, answers: time.Second})
		cancel()
		if code != exitcode.Failed || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: exit %d, want %q:\n%s", c.name, code, c.want, &out)
		}
	}
}

// A command waits longer for an answer than the server may take for a statement, as the address
// has it, and never for ever.
func TestHowLongACommandWaitsForAnAnswer(t *testing.T) {
	t.Parallel()
	got := map[string]time.Duration{}
	for _, text := range []string{"", "2000", "2s", " 1.5 min ", "10min", "1d", "500us", "0", "0ms", "100us", "0x10", "010", "3 weeks", "-1", "99999999999"} {
		got[text] = newAnswerLimit(map[string]string{"statement_timeout": text}).after
	}
	want := map[string]time.Duration{
		"": time.Minute + 15*time.Second, "2000": 17 * time.Second, "2s": 17 * time.Second, " 1.5 min ": 105 * time.Second, "10min": 10*time.Minute + 15*time.Second, "1d": 24*time.Hour + 15*time.Second,
		"500us": time.Hour, "0": time.Hour, "0ms": time.Hour, "100us": time.Hour, "0x10": time.Hour, "010": time.Hour, "3 weeks": time.Hour, "-1": time.Hour, "99999999999": time.Hour,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A statement that takes too long gets advice, in whatever language the server says so.
func TestAStatementThatTakesTooLong(t *testing.T) {
	conn, env := newOutbox(t)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	config := conn.Config()
	inGerman := func(client net.Conn) {
		network, address := pgconn.NetworkAddress(config.Host, config.Port)
		server, err := new(net.Dialer).DialContext(t.Context(), network, address)
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(server, client) // until the client closes it
			_ = server.Close()
		}()
		buffer := make([]byte, 64<<10)
		for n := 0; err == nil; n, err = server.Read(buffer) {
			_, _ = client.Write(bytes.ReplaceAll(buffer[:n], []byte("due to statement timeout"), []byte("wegen einer Begrenzung..")))
		}
	}
	env["DATABASE_URL"] = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable&lock_timeout=0&statement_timeout=300ms", url.UserPassword(config.User, config.Password), tellTale(t, inGerman), config.Database)
	want := "canceling statement wegen einer Begrenzung.. (SQLSTATE 57014): a statement of this command may run for 300ms; the address may set another limit"
	if got := call(env, "status"); got.Code != exitcode.Failed || !strings.Contains(got.Stderr, want) {
		t.Errorf("%+v, want %q", got, want)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Each statement is planned for its values, however often a command runs it.
func TestCommandsPrepareNoStatements(t *testing.T) {
	_, env := newOutbox(t)
	command := &cobra.Command{}
	c := environment{getenv: func(name string) string { return env[name] }, stderr: io.Discard, secrets: &secret.Redactor{}}.declarePlace(command)
	if err := command.ParseFlags(nil); err != nil {
		t.Fatal(err)
	}
	o, err := c.outboxNamed(t.Context(), "", readPlace)
	if err != nil {
		t.Fatal(err)
	}
	err = c.connected(t.Context(), o, func(conn *pgx.Conn) error {
		for range 10 {
			if _, err := admin.DeadLetters(t.Context(), conn, admin.Filter{EventType: "x"}, 0); err != nil {
				return err
			}
		}
		var prepared int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements`).Scan(&prepared)
		if err == nil && prepared > 0 {
			t.Errorf("%d prepared statements", prepared)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// withoutSearchPath is a pooler with ignore_startup_parameters = search_path: its sessions have
// the search_path of the role.
func withoutSearchPath(t *testing.T, server *pgx.ConnConfig) func(net.Conn) {
	return func(client net.Conn) {
		size := make([]byte, 4)
		if _, err := io.ReadFull(client, size); err != nil {
			return
		}
		startup := make([]byte, binary.BigEndian.Uint32(size)-4)
		if _, err := io.ReadFull(client, startup); err != nil {
			return
		}
		var kept []string
		words := strings.Split(strings.TrimRight(string(startup[4:]), "\x00"), "\x00")
		for i := 0; i+1 < len(words); i += 2 {
			if words[i] != "search_path" {
				kept = append(kept, words[i], words[i+1])
			}
		}
		network, address := pgconn.NetworkAddress(server.Host, server.Port)
		behind, err := new(net.Dialer).DialContext(t.Context(), network, address)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = behind.Close() }()
		body := string(startup[:4]) + strings.Join(kept, "\x00") + "\x00\x00"
		if _, err := behind.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
			t.Error(err)
			return
		}
		go func() {
			_, _ = io.Copy(behind, client) // until the client closes it
			_ = behind.Close()
		}()
		_, _ = io.Copy(client, behind)
	}
}

// A pooler that drops the search_path must not lead a decision to the outbox of another
// schema.
func TestACommandOfAnotherSchemaBehindAPooler(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET dead_at = now(); CREATE SCHEMA "Shop's"`); err != nil {
		t.Fatal(err)
	}
	config := conn.Config()
	env["DATABASE_URL"] = fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", url.UserPassword(config.User, config.Password),
		tellTale(t, withoutSearchPath(t, config)), config.Database)
	if got := call(env, "dead", "list", "--json"); got.Code != exitcode.OK || strings.Count(got.Stdout, "\n") != 3 {
		t.Fatalf("with the usual schema: %+v", got)
	}
	want := answer{Code: exitcode.Failed, Stderr: `outboxrelay: outbox event_outbox: the session uses event_outbox of the schema public, not of Shop's, so nothing was done: ` +
		`a pooler in front of the database drops search_path (ignore_startup_parameters); set database-url to the server's own address, or give the role its schema: ` +
		fmt.Sprintf(`ALTER ROLE %q SET search_path = "Shop's"`, config.User) + "\nsee " + runbook.PoolerInTheWay.URL() + "\n"}
	if diff := cmp.Diff(want, call(env, "discard", "--schema", "Shop's", "--all", "--reason", "x", "--yes")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := call(env, "status", "--schema", "Shop's")
	if got.Code != exitcode.Failed || !strings.HasSuffix(got.Stderr, "\nsee "+runbook.PoolerInTheWay.URL()+"\n") {
		t.Errorf("status: %+v", got)
	}
}

// After a fail-over the former primary is a standby, or comes back without knowing about it.
// The commands use the server that a relay uses.
func TestCommandsUseThePrimary(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	primary := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), primary); err != nil {
		t.Fatal(err)
	}
	standby, err := pg.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standby.Close() })
	config := primary.Config()
	to := func(servers ...string) map[string]string {
		var hosts, ports []string
		for _, server := range servers {
			at, err := pgx.ParseConfig(server)
			if err != nil {
				t.Fatal(err)
			}
			hosts, ports = append(hosts, at.Host), append(ports, fmt.Sprint(at.Port))
		}
		return map[string]string{"DATABASE_URL": fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname=%s sslmode=disable",
			strings.Join(hosts, ","), strings.Join(ports, ","), config.User, config.Password, config.Database)}
	}
	pausedOn := func(conn *pgx.Conn) (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox_audit WHERE action = 'pause'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := call(to(standby.URL(pg.Database), pg.URL), "pause", "a", "--reason", "x"); got.Code != exitcode.OK || got.Stderr != "" || pausedOn(primary) != 1 {
		t.Errorf("with the standby as the first address: %+v", got)
	}
	got := call(to(standby.URL(pg.Database)), "status")
	if got.Code != exitcode.OK || !strings.Contains(got.Stderr, "is a standby: what it has may be old, and it accepts no changes; give the address of the primary, or all addresses") {
		t.Errorf("status of the standby: %+v", got)
	}
	got = call(to(standby.URL(pg.Database)), "pause", "b", "--reason", "x")
	if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "give the address of the primary, or all addresses") {
		t.Errorf("pause on the standby: %+v", got)
	}

	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	at, err := pgx.ParseConfig(to(standby.URL(pg.Database))["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	promoted, err := pgx.ConnectConfig(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = promoted.Close(context.Background()) })
	if got := call(to(pg.URL, standby.URL(pg.Database)), "pause", "c", "--reason", "x"); got.Code != exitcode.OK || pausedOn(promoted) != 2 || pausedOn(primary) != 1 {
		t.Errorf("both accept writes: %+v; %d pauses on the promoted server, %d on the former primary", got, pausedOn(promoted), pausedOn(primary))
	}
}

// Somebody holds an exclusive lock, as VACUUM FULL does. The commands end, and say who it is.
func TestNoCommandHangsOnALock(t *testing.T) {
	conn, env := newOutbox(t)
	join := "?"
	if strings.Contains(env["DATABASE_URL"], "?") {
		join = "&"
	}
	env["DATABASE_URL"] += join + "lock_timeout=100"
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	// The holder is named once it has held the lock for some time.
	if _, err := tx.Exec(t.Context(), `SELECT pg_sleep(3), 'a secret literal'`); err != nil {
		t.Fatal(err)
	}
	pid := conn.PgConn().PID()
	blocked := regexp.MustCompile(fmt.Sprintf(`canceling statement due to lock timeout \(SQLSTATE 55P03\); it may have waited for: session %d \(.*idle in transaction\) holds AccessExclusiveLock on event_outbox, `+
		`since \d+s: SELECT pg_sleep\( \.\.\.\. Wait for it, or, if it is not needed: SELECT pg_terminate_backend\(%d\)\n$`, pid, pid))
	for _, args := range [][]string{
		{"status"}, {"dead"}, {"dead", "show", eventNumber + "1"}, {"tail", "--once"}, {"purge", "--dry-run"}, {"discard", "--all", "--reason", "x", "--yes"}, {"replay", "--all"},
	} {
		if got := call(env, args...); got.Code != exitcode.Failed || !blocked.MatchString(got.Stderr) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	// A pause does not need the table.
	want := answer{Stdout: "paused topic orders; no relay leads now; the next leader acts on it before it sends anything; the rows could not be read to check the name of the topic\n"}
	if diff := cmp.Diff(want, call(env, "pause", "orders", "--reason", "x")); diff != "" {
		t.Errorf("pause (-want +got):\n%s", diff)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A process without a user name, as in a container from scratch, has to say who decides.
func TestADecisionNeedsAnActor(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/d"}
	for _, args := range []string{"discard --all --reason x --yes", "replay --all", "send-now --all --reason x --yes", "pause a --reason x", "purge --retention 1h --reason x --yes"} {
		var stderr strings.Builder
		code := execute(strings.Fields(args), environment{
			getenv: func(name string) string { return env[name] }, stdin: strings.NewReader(""), stdout: io.Discard, stderr: &stderr, user: func() string { return "" },
		})
		want := "outboxrelay: --actor is missing: the audit needs to know who decided, and this process has no user name; set it, or the environment variable OUTBOXRELAY_ACTOR\n"
		if code != exitcode.Misuse || stderr.String() != want {
			t.Errorf("%s: exit %d, %s", args, code, &stderr)
		}
	}
	c := environment{getenv: func(string) string { return "night shift" }}
	if got, err := c.actor(""); err != nil || got != "night shift" {
		t.Errorf("actor of the environment: %q, %v", got, err)
	}
	if got, err := c.actor("ann"); err != nil || got != "ann" {
		t.Errorf("actor of the flag: %q, %v", got, err)
	}
}

// A command reads the file with the password when it connects, not when it starts.
func TestTailSurvivesARotation(t *testing.T) {
	pg, _ := newOutbox(t)
	role := fmt.Sprintf("tail_%d", pg.PgConn().PID())
	exec := func(sql string) {
		t.Helper()
		if _, err := pg.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'first'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + role)
	t.Cleanup(func() {
		if _, err := pg.Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role); err != nil {
			t.Error(err)
		}
	})
	file := writeFile(t, "first\n")
	at := pg.Config()
	env := map[string]string{
		"DATABASE_URL":                       fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=prefer", at.Host, at.Port, role, at.Database),
		"OUTBOXRELAY_DATABASE_PASSWORD_FILE": file,
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, diagnostics growing
	ended := make(chan int, 1)
	go func() {
		ended <- executeUntil(ctx, []string{"tail", "--last", "0", "--interval", "50ms"}, environment{
			getenv: func(name string) string { return env[name] }, stdin: strings.NewReader(""), stdout: &out, stderr: &diagnostics})
	}()
	exec(`UPDATE event_outbox SET published_at = now() WHERE seq = 1`) // seen or not, depending on when the first look is
	looked := func() bool {
		var n int
		if err := pg.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND application_name = 'outboxrelay tail' AND query = 'commit' AND state = 'idle'`, role).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	until(t, "tail has looked", looked)
	exec(`ALTER ROLE ` + role + ` PASSWORD 'second'`)
	if err := os.WriteFile(file, []byte("second\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + role + `'`)
	exec(`UPDATE event_outbox SET published_at = now() WHERE seq = 2`) // while it is not connected
	until(t, "tail prints what was published meanwhile", func() bool { return strings.Contains(out.String(), "seq 2") })
	if !strings.Contains(diagnostics.String(), "interrupted, trying again in 1s: ") {
		t.Errorf("it says:\n%s", &diagnostics)
	}
	// An error that does not go away ends it.
	exec(`REVOKE SELECT ON event_outbox FROM ` + role)
	if code := <-ended; code != exitcode.Failed || !strings.Contains(diagnostics.String(), "permission denied for table event_outbox") {
		t.Errorf("without the privilege it ends with %d:\n%s", code, &diagnostics)
	}
}

// The role of a relay may read, but it may not decide. The error says what to do.
func TestRoleOfARelayCannotDecide(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET dead_at = now() WHERE seq = 1; UPDATE event_outbox SET published_at = now() - interval '1 day' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	at := conn.Config()
	env["DATABASE_URL"] = fmt.Sprintf("host='%s' port=%d user='%s' password='%s' dbname='%s' options='-c role=pg_read_all_data'", at.Host, at.Port, at.User, at.Password, at.Database)
	if got := call(env, "status"); got.Code != exitcode.OK {
		t.Errorf("status: %+v", got)
	}
	for _, args := range [][]string{
		{"dead", "replay", "--all", "--yes"}, {"dead", "discard", "--all", "--reason", "x", "--yes"},
		{"pause", "--all", "--reason", "x"}, {"purge", "--retention", "1h", "--reason", "x", "--yes"},
	} {
		got := call(env, args...)
		if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "permission denied for") || !strings.Contains(got.Stderr, "GRANT outbox_operator to its role") || strings.Count(got.Stderr, "--grants") != 1 {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// A command that is printed as advice is about the same outbox.
func TestAdviceNamesTheOutbox(t *testing.T) {
	conn, _ := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `CREATE SCHEMA other; UPDATE event_outbox SET dead_at = now()`); err != nil {
		t.Fatal(err)
	}
	at := conn.Config()
	address := fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s", at.Host, at.Port, at.User, at.Password, at.Database)
	file := writeFile(t, "database_url: \""+address+"\"\noutboxes:\n  - {name: it's}\n  - {name: b, schema: other}\n")
	got := call(nil, "dead", "show", "--config", file, "--outbox", "it's", "1")
	want := "then: outboxrelay dead replay --config " + file + ` --outbox 'it'\''s' --event-id ` + eventNumber + "1 --reason '…'\n"
	if got.Code != exitcode.OK || !strings.HasSuffix(got.Stdout, want) {
		t.Errorf("%+v, want %q", got, want)
	}
}
