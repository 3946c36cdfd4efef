//go:build unix

package incidents_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

var poolerInTheWay = incident{
	anchor: "pooler-in-the-way",
	stage: func(t *testing.T, s *site) {
		findPgBouncer(t)
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t))
		s.running(t, s.usual()...)
	},
	fault: func(t *testing.T, s *site) { // "all services go through the pooler from now on"
		direct := s.pg.URL
		s.variables["RELAY_DB"] = direct
		s.pg.URL = s.startPgBouncer(t)
		s.settings(t, s.usual()...)
		s.pg.URL = direct
		if out, err := s.run(t.Context(), "systemctl restart outboxrelay"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		s.insert(t)
	},
}

// findPgBouncer returns the path of pgbouncer, and of the folder with its libraries.
func findPgBouncer(t *testing.T) (program, libraries string) {
	t.Helper()
	dir := os.Getenv("OUTBOXGEN_SERVICES")
	if dir == "" {
		dir = filepath.Join(root, ".services")
	}
	unpacked, err := filepath.Abs(filepath.Join(dir, "pgbouncer", "usr"))
	if err != nil {
		t.Fatal(err)
	}
	if program = filepath.Join(unpacked, "sbin", "pgbouncer"); isFile(program) {
		found, err := filepath.Glob(filepath.Join(unpacked, "lib", "*-linux-gnu"))
		if err != nil {
			t.Fatal(err)
		}
		return program, strings.Join(found, string(filepath.ListSeparator))
	}
	if program, err = exec.LookPath("pgbouncer"); err != nil {
		const missing = "no PgBouncer: run .ci/services pgbouncer"
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "pgbouncer") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return program, ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// startPgBouncer starts a PgBouncer in transaction mode, and returns the address of the
// database behind it.
func (s *site) startPgBouncer(t *testing.T) string {
	t.Helper()
	path, libraries := findPgBouncer(t)
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	server, err := pgx.ParseConfig(s.pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.dir, "pgbouncer.ini")
	if server.Password != "" {
		server.User += " password=" + server.Password
	}
	text := fmt.Sprintf("[databases]\n* = host=%s port=%d user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %s\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n",
		server.Host, server.Port, server.User, port)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{file}
	if os.Getuid() == 0 { // it refuses to run as root
		args = []string{"-u", ownerOf(t, server.Host), file}
	}
	s.add(t, "pgbouncer", &program{path: path, args: args, env: []string{"LD_LIBRARY_PATH=" + libraries}})
	address := fmt.Sprintf("postgres://anybody@127.0.0.1:%s/%s?sslmode=disable", port, url.PathEscape(server.Database))
	s.waitFor(t, "PgBouncer answers", func() bool {
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	return address
}

// ownerOf returns the name of the user that owns a folder: only it can use a socket there.
func ownerOf(t *testing.T, folder string) string {
	t.Helper()
	info, err := os.Stat(folder)
	if err != nil {
		return "nobody" // not a folder but a host
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("no owner of %s", folder)
	}
	owner, err := user.LookupId(strconv.Itoa(int(stat.Uid)))
	if err != nil {
		t.Fatal(err)
	}
	return owner.Username
}

var primaryFailedOver = incident{
	anchor: "primary-failed-over",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t, services.Private()))
		s.running(t, s.usual()...)
		var err error
		if s.standby, err = s.pg.Standby(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.standby.Close(); err != nil {
				t.Error(err)
			}
		})
	},
	fault: func(t *testing.T, s *site) {
		if err := s.pg.Stop(t.Context(), services.Immediate); err != nil {
			t.Fatal(err)
		}
		if err := s.standby.Promote(t.Context()); err != nil {
			t.Fatal(err)
		}
		former := s.pg.URL
		s.pg.URL = s.standby.URL(s.pg.Database)
		s.variables["DB"] = bothHosts(t, former, s.pg.URL)
		s.variables["RELAY_DB"] = s.variables["DB"]
		s.insert(t)
	},
}

// bothHosts returns an address with the hosts of two servers.
func bothHosts(t *testing.T, a, b string) string {
	t.Helper()
	first, err := url.Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	query := first.Query()
	query.Set("host", first.Query().Get("host")+","+second.Query().Get("host"))
	query.Set("target_session_attrs", "read-write")
	first.RawQuery = query.Encode()
	return first.String()
}

var wrongCredentials = incident{
	anchor: "wrong-credentials",
	stage: func(t *testing.T, s *site) {
		s.withTopic(t)
		s.withPostgres(t, services.Postgres(t, services.Private()))
		s.askForPasswords(t, "shop_relay")
		s.exec(t, `CREATE ROLE shop_relay LOGIN PASSWORD 'first'; GRANT pg_read_all_stats TO shop_relay;
			GRANT ALL ON ALL TABLES IN SCHEMA public TO shop_relay; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO shop_relay`)
		file := filepath.Join(s.dir, "password")
		if err := os.WriteFile(file, []byte("first\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		admin := s.pg.URL
		s.pg.URL = withUser(t, admin, "shop_relay")
		settings := s.usual("database_password_file: " + file)
		s.pg.URL = admin
		s.running(t, settings...)
	},
	fault: func(t *testing.T, s *site) {
		s.variables["NEW_PASSWORD"] = "second"
		s.exec(t, "ALTER ROLE shop_relay PASSWORD 'second'")
		s.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop_relay'") // open sessions do not need the new password
		s.insert(t)
		// Like a relay that has led for long: it checks the outbox again before it leads.
		const severalTimes = 4
		s.waitFor(t, "the relay is refused several times", func() bool {
			return strings.Count(s.units["outboxrelay"].log(), "password authentication failed") >= severalTimes
		})
	},
}

// askForPasswords makes the server ask a role for its password.
func (s *site) askForPasswords(t *testing.T, role string) {
	t.Helper()
	var rules string
	if err := s.pg.Pool.QueryRow(t.Context(), "SHOW hba_file").Scan(&rules); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("local all %s scram-sha-256\n%s", role, before)
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.exec(t, "SELECT pg_reload_conf()")
}

// withUser returns the address with another user, and without a password.
func withUser(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(name)
	query := u.Query()
	query.Del("user")
	query.Del("password")
	u.RawQuery = query.Encode()
	return u.String()
}

// deleteTopic deletes a topic, and returns when the brokers have forgotten it.
func (s *site) deleteTopic(t *testing.T, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	s.waitFor(t, "the topic is gone", func() bool {
		topics, err := admin.ListTopics(t.Context())
		return err == nil && !topics.Has(topic)
	})
}

// waitFor waits for a condition.
func (s *site) waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if wait.Until(ctx, tenth/10, func() (bool, error) { return holds(), nil }) != nil {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

func contains(lines []string, n int) bool { return slices.Contains(lines, strconv.Itoa(n)) }
