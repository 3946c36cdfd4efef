package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// awkward are passwords with all characters that can split an address in the wrong
// place. Their parts do not occur in any output by chance.
func awkward() map[string]string {
	out := map[string]string{
		"escape that is none": "Kw4zq%zzVx9rt",
		"escape by chance":    "Kw4zq%41%42Vx9rt",
		"host and port":       "kw4zqdb.invalid:5432",
		"digits and a slash":  "12345/Vx9rt",
		"digits and a hash":   "12345#Vx9rt",
		"digits and an at":    "12345@Vx9rt/Jm2yb",
		"query string":        "Kw4zq?sslmode=disable&Vx9rt=Jm2yb",
		"setting":             "Kw4zq Vx9rt=Jm2yb",
		"settings":            "Kw4zq&Vx9rt=Jm2yb",
		"URL":                 "redis://Kw4zq:Vx9rt@Jm2yb",
		"YAML alias":          "*Kw4zqVx9rt",
		"YAML anchor":         "&Kw4zqVx9rt",
		"YAML tag":            "!Kw4zqVx9rt",
		"YAML mapping":        "Kw4zq: Vx9rt",
		"YAML flow":           "{Kw4zq: [Vx9rt",
		"flag":                "--Kw4zqVx9rt",
		"brackets":            "[Kw4zq]:Vx9rt",
		"unicode":             "Kw4zqпарольVx9rt",
		"invalid UTF-8":       "Kw4zq\xffVx9rt",
		"very long":           strings.Repeat("Kw4zqVx9rtJm2yb", 150),
		"plain":               "Kw4zqVx9rtJm2yb",
	}
	for _, c := range `@:/?#%&=+ '"\;,|<>^` + "`\n\t$" {
		out[fmt.Sprintf("with %q", c)] = strings.Join([]string{"Kw4zq", "Vx9rt", "Jm2yb"}, string(c))
		out[fmt.Sprintf("begins with %q", c)] = string(c) + "Kw4zqVx9rt" + string(c) + string(c) + "Jm2yb"
	}
	return out
}

// parts returns the parts of a password that no output may have: its pieces of at least
// four bytes, and those of its decoded form.
func parts(password string) []string {
	out := []string{"Kw4z", "kw4z", "Vx9r", "Jm2y", "пароль", url.QueryEscape("пароль")}
	split := func(text string) {
		for _, part := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if len(part) > 3 && part != "sslmode" && part != "disable" && part != "redis" && part != "5432" && part != "invalid" {
				out = append(out, part)
			}
		}
	}
	split(password)
	if decoded, err := url.PathUnescape(password); err == nil {
		split(decoded)
	}
	return out
}

func noLeak(t *testing.T, what, password, output string) {
	t.Helper()
	for _, part := range parts(password) {
		if strings.Contains(output, part) {
			t.Errorf("%s shows %q of the password %q:\n%.2000s", what, part, password, output)
			return
		}
	}
}

// encoded returns the password as it is written in a URL.
func encoded(p string) string { return strings.ReplaceAll(url.QueryEscape(p), "+", "%20") }

// spellings returns the forms in which a password is written in a setting: correctly
// encoded, and as people write it.
func spellings(p string) map[string]map[string]string {
	const db, redis = "127.0.0.1:1/d", "127.0.0.1:1/0"
	quoted := `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(p) + `'`
	out := map[string]map[string]string{
		"database, encoded":          {"DATABASE_URL": "postgres://u:" + encoded(p) + "@" + db},
		"database, raw":              {"DATABASE_URL": "postgres://u:" + p + "@" + db},
		"database, no scheme":        {"DATABASE_URL": "u:" + p + "@" + db},
		"database, wrong scheme":     {"DATABASE_URL": "postgre://u:" + p + "@" + db + "?sslmode=disable"},
		"database, hosts":            {"DATABASE_URL": "postgres://u:" + p + "@127.0.0.1:1,127.0.0.1:2/d"},
		"database, query":            {"DATABASE_URL": "postgres://" + db + "?user=u&password=" + p},
		"database, query, encoded":   {"DATABASE_URL": "postgres://" + db + "?user=u&password=" + url.QueryEscape(p)},
		"database, keywords":         {"DATABASE_URL": "host=127.0.0.1 port=1 user=u password=" + p + " dbname=d"},
		"database, keywords, quoted": {"DATABASE_URL": "host=127.0.0.1 port=1 user=u password=" + quoted + " dbname=d"},
		"database, URL as name":      {"DATABASE_URL": "host=127.0.0.1 port=1 dbname=postgres://u:" + p + "@h/d"},
		"database, key's password":   {"DATABASE_URL": "postgres://u@" + db + "?sslmode=require&sslcert=/dev/null&sslkey=/dev/null&sslpassword=" + url.QueryEscape(p)},
		"database, raw in the query": {"DATABASE_URL": "postgres://u@" + db + "?sslmode=require&sslcert=/dev/null&sslkey=/dev/null&sslpassword=" + p},
		"database, key, keywords":    {"DATABASE_URL": "host=127.0.0.1 port=1 user=u sslmode=require sslcert=/dev/null sslkey=/dev/null sslpassword=" + quoted},
		"database, as the options":   {"DATABASE_URL": "postgres://u@" + db + "?options=" + url.QueryEscape("-c app.key="+p)},
		"Redis, in the query":        {"REDIS_URL": "redis://u@" + redis + "?password=" + url.QueryEscape(p), "OUTBOXRELAY_SERVICE": "s"},
		"Redis, further address":     {"REDIS_URL": "redis://u@" + redis + "?addr=u:" + p + "@127.0.0.1:2", "OUTBOXRELAY_SERVICE": "s"},
		"registry, encoded":          {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://u:" + encoded(p) + "@127.0.0.1:1"},
		"registry, raw":              {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://u:" + p + "@127.0.0.1:1"},
		"registry, no scheme":        {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "u:" + p + "@127.0.0.1:1"},
		"registry, in the query":     {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1/?token=" + p},
		"registry, token":            {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", "OUTBOXRELAY_REGISTRY_TOKEN": p},
		"registry, user":             {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", "OUTBOXRELAY_REGISTRY_AUTH": "u:" + p},
		"registry, no user":          {"OUTBOXRELAY_SCHEMA_ID": "prefix", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", "OUTBOXRELAY_REGISTRY_AUTH": p},
		"Redis, encoded":             {"REDIS_URL": "redis://:" + encoded(p) + "@" + redis, "OUTBOXRELAY_SERVICE": "s"},
		"Redis, raw":                 {"REDIS_URL": "redis://:" + p + "@" + redis, "OUTBOXRELAY_SERVICE": "s"},
		"Redis, with a user":         {"REDIS_URL": "rediss://u:" + p + "@" + redis},
		"Redis, as the user":         {"REDIS_URL": "redis://" + p + "@" + redis, "OUTBOXRELAY_SERVICE": "s"},
		"Redis, no scheme":           {"REDIS_URL": ":" + p + "@" + redis},
		"Redis, bad port":            {"REDIS_URL": "redis://:" + encoded(p) + "@127.0.0.1:66000/0"},
		"Redis, bad database":        {"REDIS_URL": "redis://:" + encoded(p) + "@127.0.0.1:1/x"},
		"SASL":                       {"OUTBOXRELAY_SASL": "plain", "OUTBOXRELAY_SASL_USER": "u", "OUTBOXRELAY_SASL_PASSWORD": p, "OUTBOXRELAY_TLS": "true"},
		"SASL without TLS":           {"OUTBOXRELAY_SASL": "plain", "OUTBOXRELAY_SASL_USER": "u", "OUTBOXRELAY_SASL_PASSWORD": p},
		"brokers":                    {"KAFKA_BROKERS": "u:" + p + "@127.0.0.1:1"},
		"brokers, URL":               {"KAFKA_BROKERS": "kafka://u:" + encoded(p) + "@127.0.0.1:1"},
		"key instead of its file":    {"OUTBOXRELAY_TLS": "true", "OUTBOXRELAY_TLS_CERT": "/dev/null", "OUTBOXRELAY_TLS_KEY": "-----BEGIN PRIVATE KEY-----\n" + p},
		"password as its file":       {"OUTBOXRELAY_DATABASE_PASSWORD_FILE": p},
		"Redis password as its file": {"OUTBOXRELAY_REDIS_PASSWORD_FILE": p, "REDIS_URL": "redis://u@127.0.0.1:1"},
		"SASL password as its file":  {"OUTBOXRELAY_SASL": "scram-sha-256", "OUTBOXRELAY_SASL_USER": "u", "OUTBOXRELAY_SASL_PASSWORD_FILE": p, "OUTBOXRELAY_TLS": "true"},
		"token as its file":          {"OUTBOXRELAY_SASL": "oauthbearer", "OUTBOXRELAY_SASL_TOKEN_FILE": p, "OUTBOXRELAY_TLS": "true"},
		"address as the file":        {"OUTBOXRELAY_CONFIG": "postgres://u:" + p + "@" + db},
		"keywords as the file":       {"OUTBOXRELAY_CONFIG": "host=h password=" + p},
		"user as the file":           {"OUTBOXRELAY_CONFIG": "u:" + p + "@h"},
		"key without its header":     {"OUTBOXRELAY_TLS": "true", "OUTBOXRELAY_TLS_CERT": "/dev/null", "OUTBOXRELAY_TLS_KEY": p},
	}
	if !strings.ContainsAny(p, "@/,?") { // with these it can be a valid address with other hosts
		out["database, no host"] = map[string]string{"DATABASE_URL": "postgres://u:" + p}
	}
	return out
}

// No command shows a part of the password in an address, in whatever way the address is
// wrong. Commands that would run fail at the first connection. Each password meets each
// spelling in two commands, which take turns: over all passwords, each spelling meets each
// command several times.
func TestNoCommandShowsAPassword(t *testing.T) {
	t.Parallel()
	commands := [][]string{
		{"status"}, {"status", "--json"}, {"dead"}, {"replay", "--all"}, {"discard", "--all", "--reason", "x", "--yes"},
		{"config"}, {"config", "--json"}, {"run", "--drain", "--listen", "127.0.0.1:-1"},
	}
	if testing.Short() {
		commands = [][]string{{"status"}, {"config", "--json"}}
	}
	passwords := awkward()
	const some = 8 // with -short, every eighth
	for number, kind := range slices.Sorted(maps.Keys(passwords)) {
		p := passwords[kind]
		if testing.Short() && number%some != 0 {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "relay.yaml")
			all := spellings(p)
			for at, spelling := range slices.Sorted(maps.Keys(all)) {
				env, turn := all[spelling], number+at
				if env["DATABASE_URL"] == "" {
					env["DATABASE_URL"] = "postgres://u@127.0.0.1:1/d"
				}
				for _, args := range [][]string{commands[turn%len(commands)], commands[(turn+len(commands)/2)%len(commands)]} {
					got := call(env, args...)
					noLeak(t, fmt.Sprint(spelling, ": ", args), p, got.Stdout+got.Stderr)
				}
				// The same in a file, quoted and unquoted, and in flags that a shell
				// has split at spaces.
				var asFile, quoted strings.Builder
				flags := []string{"run", "--drain", "--listen", "127.0.0.1:-1"}
				for variable, value := range env {
					member := map[string]string{"DATABASE_URL": "database_url", "REDIS_URL": "redis_url", "KAFKA_BROKERS": "brokers"}[variable]
					if member == "" {
						member = strings.ToLower(strings.TrimPrefix(variable, "OUTBOXRELAY_"))
					}
					inJSON, err := json.Marshal(value)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&asFile, "%s: %s\n", member, value)
					fmt.Fprintf(&quoted, "%s: %s\n", member, inJSON)
					flags = append(flags, "--"+strings.ReplaceAll(member, "_", "-"))
					if value != "true" {
						flags = append(flags, strings.Split(value, " ")...)
					}
				}
				for i, text := range []string{asFile.String(), quoted.String()} {
					if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
					command := []string{"status", "config"}[(turn+i)%2]
					got := call(nil, command, "--config", file)
					noLeak(t, spelling+" in a file: "+command, p, got.Stdout+got.Stderr)
				}
				if !strings.HasPrefix(p, "--") { // that would be a flag, whose name is shown
					got := call(nil, flags...)
					noLeak(t, spelling+" in flags", p, got.Stdout+got.Stderr)
				}
			}
		})
	}
}

// tellTale returns a Postgres or Redis server that repeats the password in its error,
// as some proxies and old versions do.
func tellTale(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ended, end := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			// The driver keeps a connection for seconds that it has given up.
			hangUp := context.AfterFunc(ended, func() { _ = conn.Close() })
			serving.Go(func() {
				defer hangUp()
				defer func() { _ = conn.Close() }()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		end()
		serving.Wait()
	})
	return listener.Addr().String()
}

func tellTalePostgres(conn net.Conn) {
	message := func(head int) []byte {
		header := make([]byte, head+4)
		if _, err := io.ReadFull(conn, header); err != nil {
			return nil
		}
		body := make([]byte, binary.BigEndian.Uint32(header[head:])-4)
		_, _ = io.ReadFull(conn, body)
		return body
	}
	const wantsTLS = 80877103
	if first := message(0); len(first) == 4 && binary.BigEndian.Uint32(first) == wantsTLS {
		_, _ = conn.Write([]byte("N"))
		message(0)
	}
	_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3}) // the password in clear text, please
	password := bytes.TrimRight(message(1), "\x00")
	fields := fmt.Sprintf("SFATAL\x00C28P01\x00Mthe password %s is wrong, %.200q too\x00\x00", password, password)
	reply := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	_, _ = conn.Write(append(reply, fields...))
}

func tellTaleRedis(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		var args []string
		var n int
		if _, err := fmt.Fscanf(in, "*%d\r\n", &n); err != nil {
			return
		}
		for range n {
			var size int
			if _, err := fmt.Fscanf(in, "$%d\r\n", &size); err != nil {
				return
			}
			arg := make([]byte, size+2)
			if _, err := io.ReadFull(in, arg); err != nil {
				return
			}
			args = append(args, string(arg[:size]))
		}
		flat := strings.NewReplacer("\r", " ", "\n", " ").Replace(fmt.Sprintf("%.128s", strings.Join(args, "' '")))
		if _, err := fmt.Fprintf(conn, "-ERR unknown or denied: '%s'\r\n", flat); err != nil {
			return
		}
	}
}

// watched is a buffer that signals each write.
type watched struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.written <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// runUntil runs a relay until its log has all the texts, requests the pages of its HTTP
// server, stops it, and returns all output.
func runUntil(t *testing.T, env map[string]string, texts []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	out := &watched{written: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		executeUntil(ctx, append([]string{"run", "--listen", "127.0.0.1:0", "--log-level", "debug"}, args...),
			environment{getenv: func(k string) string { return env[k] }, stdout: out, stderr: out})
	}()
	missing := func() string {
		for _, text := range append([]string{`"msg":"listening"`}, texts...) {
			if !strings.Contains(out.String(), text) {
				return text
			}
		}
		return ""
	}
	for missing() != "" {
		select {
		case <-out.written:
		case <-ended:
			t.Errorf("the relay ended without saying %s:\n%s", missing(), out)
			return out.String()
		}
	}
	said := ""
	_, rest, _ := strings.Cut(out.String(), `"msg":"listening","address":"`)
	address, _, _ := strings.Cut(rest, `"`)
	for _, path := range []string{"/status", "/readyz", "/metrics"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		said += string(body)
	}
	cancel()
	<-ended
	return said + out.String()
}

// A running relay shows no part of a password either, also if servers do not run or
// repeat the password in their answers.
func TestNoRelayShowsAPassword(t *testing.T) {
	_, working := newOutbox(t)
	postgres, redis := tellTale(t, tellTalePostgres), tellTale(t, tellTaleRedis)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	for kind, p := range awkward() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, address := range []string{"127.0.0.1:1", postgres} {
				env := map[string]string{"DATABASE_URL": "postgres://u:" + encoded(p) + "@" + address + "/d?sslmode=disable"}
				for _, args := range [][]string{{"status"}, {"dead"}} {
					got := call(env, args...)
					noLeak(t, fmt.Sprint(args, " at ", address), p, got.Stdout+got.Stderr)
					if got.Code != exitcode.Failed {
						t.Errorf("%v at %s exits with %d: %s", args, address, got.Code, got.Stderr)
					}
				}
				said := runUntil(t, env, []string{`"level":"WARN"`}, "--sink", "stdout", "--service", "s", "--wake", "postgres")
				noLeak(t, "run with a database at "+address, p, said)
			}
			env := map[string]string{"DATABASE_URL": working["DATABASE_URL"], "REDIS_URL": "redis://u:" + encoded(p) + "@" + redis}
			said := runUntil(t, env, []string{`"msg":"no wake-ups`}, "--sink", "stdout", "--service", "s")
			noLeak(t, "run with Redis", p, said)
			said = runUntil(t, map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d"}, []string{"Kafka unavailable"},
				"--brokers", kafka.ListenAddrs()[0], "--sasl", "plain", "--sasl-user", "u", "--sasl-password", p, "--sasl-without-tls")
			noLeak(t, "run with Kafka", p, said)
		})
	}
}

// The state that a leader writes into the lease row has no password either.
func TestTheLeaseRowShowsNoPassword(t *testing.T) {
	t.Parallel()
	for kind, p := range awkward() {
		secrets := &secret.Redactor{}
		secrets.Add(p)
		said := fmt.Sprintf("the broker says: %s and %q", p, p)
		state, err := json.Marshal(relay.Status{Name: "s", Reason: said, PausedTopics: []relay.Paused{{Topic: "orders", Reason: said}}, SetAside: []relay.Paused{{Reason: said}}})
		if err != nil {
			t.Fatal(err)
		}
		got := stateWithoutSecrets(state, secrets)
		noLeak(t, kind, p, string(got))
		if !strings.Contains(string(got), `"orders"`) {
			t.Errorf("%s: the state is gone: %s", kind, got)
		}
	}
}
