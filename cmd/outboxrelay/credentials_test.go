package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func writeTo(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files that cannot be used, and settings that do not go together, are reported at the
// start. The message does not repeat a password that was set instead of the name of its file.
func TestCredentialFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, token := filepath.Join(dir, "empty"), filepath.Join(dir, "token")
	writeTo(t, empty, "\n")
	writeTo(t, token, "a-bearer\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--database-password-file", "hunter22"}, "setting database-password-file: the file of database-password-file cannot be read: no such file or directory"},
		{[]string{"--database-password-file", empty}, "setting database-password-file: the file of database-password-file (" + empty + ") is empty"},
		{[]string{"--database-password-file", filepath.Join(dir, "none")}, "setting database-password-file: the file of database-password-file (" + filepath.Join(dir, "none") + ") cannot be read: no such file or directory"},
		{[]string{"--database-password-file", "/hunter22"}, "setting database-password-file: the file of database-password-file cannot be read: no such file or directory"},
		{[]string{"--redis-url", "redis://h", "--redis-password-file", dir}, "setting redis-password-file: the file of redis-password-file (" + dir + ") cannot be read: is a directory"},
		{[]string{"--tls", "--sasl", "plain", "--sasl-user", "u", "--sasl-password", "p", "--sasl-password-file", token}, "setting sasl-password-file: sasl-password is set too: remove one of them"},
		{[]string{"--tls", "--sasl", "oauthbearer"}, "the file with the token (sasl is oauthbearer) is missing: set --sasl-token-file, OUTBOXRELAY_SASL_TOKEN_FILE, or sasl_token_file in the settings file (--config)"},
		{[]string{"--sasl", "oauthbearer", "--sasl-token-file", token}, "setting sasl: it is oauthbearer but tls is not set, so the token would be sent in clear text: set tls to true, or set sasl-without-tls to true if the network is trusted"},
		{
			[]string{"--tls", "--sasl", "oauthbearer", "--sasl-token-file", token, "--sasl-user", "u", "--sasl-password", "p"},
			"setting sasl-user: it is set but sasl is oauthbearer, so it would have no effect: remove sasl-user\n" +
				"setting sasl-password: it is set but sasl is oauthbearer, so it would have no effect: remove sasl-password",
		},
		{[]string{"--sasl-password-file", token}, "setting sasl-password-file: it is set but sasl is not, so it would have no effect: set sasl, or remove sasl-password-file"},
		{[]string{"--redis-password-file", token}, "setting redis-password-file: it is set but redis-url is not, so it would have no effect: set redis-url, or remove redis-password-file"},
		{[]string{"--sasl-token-file", token}, "setting sasl-token-file: it is set but sasl is not oauthbearer, so it would have no effect: set sasl to oauthbearer, or remove sasl-token-file"},
	} {
		got := call(nil, append([]string{"run", "--database-url", "postgres://u@127.0.0.1:1/d"}, c.args...)...)
		if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + c.want + "\n"}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
}

// A password of the database that changes needs no restart: each session uses the one that
// is in the file then. The file gets it so late that the relay checks the outbox again.
func TestThePasswordOfTheDatabaseChanges(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	conn := pg.Connect(t.Context())
	role := pgx.Identifier{conn.Config().Database + "_role"}.Sanitize()
	exec := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var rules string
	if err := conn.QueryRow(t.Context(), "SHOW hba_file").Scan(&rules); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	writeTo(t, rules, fmt.Sprintf("local all %s scram-sha-256\nhost all %[1]s all scram-sha-256\n%s", role, before))
	exec("CREATE ROLE " + role + " SUPERUSER LOGIN PASSWORD 'first'")
	exec("SELECT pg_reload_conf()")
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}

	file := filepath.Join(t.TempDir(), "password")
	writeTo(t, file, "first\n")
	address, err := url.Parse(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.User(strings.Trim(role, `"`))
	query := address.Query()
	query.Del("user")
	query.Del("password")
	address.RawQuery = query.Encode()
	env := map[string]string{"DATABASE_URL": address.String(), "OUTBOXRELAY_DATABASE_PASSWORD_FILE": file}
	if got := call(env, "status"); got.Code != exitcode.OK {
		t.Fatalf("status: exit %d:\n%s", got.Code, got.Stderr)
	}
	relayed := startFleet(t, fmt.Sprintf("{sink: stdout, name: shop, database_url: %q, database_password_file: %q}", address.String(), file))
	until(t, "the outbox is led", func() bool { return relayed.leads("shop") })

	exec("ALTER ROLE " + role + " PASSWORD 'second'")
	exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = " + strings.ReplaceAll(role, `"`, "'"))
	const severalTimes = 5 // about 20 seconds
	until(t, "the former password is refused several times", func() bool {
		return strings.Count(relayed.log.String(), "password authentication failed") >= severalTimes
	})
	given := *address // its password has no effect beside a file
	given.User = url.UserPassword(address.User.Username(), "second")
	said := "; check the user and the password; the password is that of the file " + file +
		" (setting database-password-file), which has precedence over one in database-url\n"
	for _, args := range [][]string{{"status"}, {"tail", "--once"}} {
		got := call(env, append(args, "--database-url", given.String())...)
		if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, said) {
			t.Errorf("%v: exit %d:\n%s", args, got.Code, got.Stderr)
		}
	}
	writeTo(t, file, "second\n")
	until(t, "the outbox is led again", func() bool { return relayed.leads("shop") })
	if log := relayed.log.String(); strings.Contains(log, "first") || strings.Contains(log, "second") {
		t.Errorf("the log has a password:\n%s", log)
	}
}

// The same for Redis.
func TestThePasswordOfRedisChanges(t *testing.T) {
	t.Parallel()
	server := services.PrivateRedis(t)
	admin, err := rueidis.NewClient(rueidis.MustParseURL(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(admin.Close)
	set := func(password string) {
		t.Helper()
		if err := admin.Do(t.Context(), admin.B().ConfigSet().ParameterValue().ParameterValue("requirepass", password).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "password")
	writeTo(t, file, "first\n")
	set("first")
	o := readOutboxes(t, fmt.Sprintf("{database_url: 'postgres://u@h/d', sink: stdout, service: s, redis_url: %q, redis_password_file: %q}", server.URL, file))[0]
	ping := func() error {
		client, err := rueidis.NewClient(o.redis)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Do(t.Context(), client.B().Ping().Build()).Error()
	}
	if err := ping(); err != nil {
		t.Fatal(err)
	}
	set("second")
	if err := ping(); err == nil {
		t.Fatal("the former password is accepted")
	}
	writeTo(t, file, "second\n")
	if err := ping(); err != nil {
		t.Error(err)
	}
}

// brokerThatAsks is a Kafka with listeners that ask who the client is.
type brokerThatAsks struct {
	*services.KafkaCluster
	sasl, saslTLS, mutualTLS string // addresses
}

func startBrokerThatAsks(t *testing.T, certs *certificates) *brokerThatAsks {
	t.Helper()
	b := &brokerThatAsks{}
	for _, address := range []*string{&b.sasl, &b.saslTLS, &b.mutualTLS} {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		*address = "127.0.0.1:" + port
	}
	listeners := fmt.Sprintf("SASL://%s,SASLTLS://%s,MUTUALTLS://%s", b.sasl, b.saslTLS, b.mutualTLS)
	settings := []string{
		"listeners=${listeners}," + listeners,
		"advertised.listeners=${advertised.listeners}," + listeners,
		"listener.security.protocol.map=${listener.security.protocol.map},SASL:SASL_PLAINTEXT,SASLTLS:SASL_SSL,MUTUALTLS:SSL",
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + certs.write(t, "broker"),
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + certs.authority,
		"listener.name.mutualtls.ssl.client.auth=required",
	}
	for _, listener := range []string{"sasl", "sasltls"} {
		prefix := "listener.name." + listener + "."
		settings = append(settings,
			prefix+`plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_relay="right";`,
			prefix+"scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
			prefix+"scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
			prefix+"oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;")
	}
	b.KafkaCluster = services.PrivateKafka(t, settings...)
	return b
}

// setSCRAM sets the password of the user relay.
func (b *brokerThatAsks) setSCRAM(t *testing.T, password string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		set, err := kadm.NewClient(client).AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: "relay", Mechanism: mechanism, Iterations: 4096, Password: password}})
		if err == nil {
			err = set.Error()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// unsignedToken returns a token as a broker without an identity provider accepts it.
func unsignedToken(user string, expires time.Time) string {
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, user, expires.Add(-2*time.Hour).Unix(), expires.Unix())
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode([]byte(claims)) + "."
}

// The relay publishes to brokers that ask for each kind of authentication. If it is wrong,
// the log says what the broker said.
func TestAuthenticationAtKafka(t *testing.T) {
	t.Parallel()
	certs := newCertificates(t)
	b := startBrokerThatAsks(t, certs)
	b.setSCRAM(t, "right")
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	writeTo(t, right, "right\n")
	writeTo(t, wrong, "wrong\n")
	token, oldToken := filepath.Join(dir, "token"), filepath.Join(dir, "old-token")
	writeTo(t, token, unsignedToken("relay", time.Now().Add(time.Hour)))
	writeTo(t, oldToken, unsignedToken("relay", time.Now().Add(-time.Hour)))
	cert, key := certs.issue(t, "relay")
	stranger := newCertificates(t)
	strangersCert, strangersKey := stranger.issue(t, "relay")

	saslTLS := []string{"--brokers", b.saslTLS, "--tls", "--tls-ca", certs.authority}
	mutual := []string{"--brokers", b.mutualTLS, "--tls"}
	user := []string{"--sasl-user", "relay"}
	join := func(lists ...[]string) (all []string) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	for name, c := range map[string]struct {
		args   []string
		want   string // in the log; "": it publishes
		remedy string
	}{
		"plain":                {join(saslTLS, user, []string{"--sasl", "plain", "--sasl-password-file", right}), "", ""},
		"plain without TLS":    {join(user, []string{"--brokers", b.sasl, "--sasl-without-tls", "--sasl", "plain", "--sasl-password", "right"}), "", ""},
		"SCRAM-SHA-256":        {join(saslTLS, user, []string{"--sasl", "scram-sha-256", "--sasl-password-file", right}), "", ""},
		"SCRAM-SHA-512":        {join(saslTLS, user, []string{"--sasl", "scram-sha-512", "--sasl-password", "right"}), "", ""},
		"OAUTHBEARER":          {join(saslTLS, []string{"--sasl", "oauthbearer", "--sasl-token-file", token}), "", ""},
		"mutual TLS":           {join(mutual, []string{"--tls-ca", certs.authority, "--tls-cert", cert, "--tls-key", key}), "", ""},
		"wrong password":       {join(saslTLS, user, []string{"--sasl", "plain", "--sasl-password-file", wrong}), "SASL_AUTHENTICATION_FAILED", "check sasl-user, and sasl-password or the file of sasl-password-file"},
		"wrong SCRAM password": {join(saslTLS, user, []string{"--sasl", "scram-sha-256", "--sasl-password-file", wrong}), "SASL_AUTHENTICATION_FAILED", "check sasl-user, and sasl-password or the file of sasl-password-file"},
		"expired token":        {join(saslTLS, []string{"--sasl", "oauthbearer", "--sasl-token-file", oldToken}), "SASL_AUTHENTICATION_FAILED", "write a token that is valid now to the file of sasl-token-file"},
		"unknown authority":    {join(mutual, []string{"--tls-ca", stranger.authority, "--tls-cert", cert, "--tls-key", key}), "certificate signed by unknown authority", "set tls-ca to the file of the authority that signed the broker's certificate"},
		"no certificate":       {join(mutual, []string{"--tls-ca", certs.authority}), "tls: bad certificate", "the broker requires a client certificate: set tls-cert and tls-key"},
		"a stranger's cert":    {join(mutual, []string{"--tls-ca", certs.authority, "--tls-cert", strangersCert, "--tls-key", strangersKey}), "tls: ", "use a client certificate (tls-cert, tls-key) that is valid now, and signed by an authority that the broker trusts"},
		"no SASL":              {saslTLS, "Kafka unavailable", "if the broker requires SASL on this port, set sasl"},
		"no TLS":               {[]string{"--brokers", b.mutualTLS}, "Kafka unavailable", "the broker requires TLS on this port: set tls to true, or correct brokers"},
		"TLS without need":     {[]string{"--brokers", b.sasl, "--tls", "--tls-ca", certs.authority}, "Kafka unavailable", "if the broker does not use TLS on this port, set tls to false, or correct brokers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.want != "" {
				runUntil(t, map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d"}, []string{"Kafka unavailable", c.want, `"remedy":"` + c.remedy}, c.args...)
				return
			}
			topic := b.NewTopic(t, "orders", 1)
			pg := services.Postgres(t)
			conn := pg.Connect(t.Context())
			migrated(t, conn)
			insertMixed(t, conn, topic, 3)
			drain(t, map[string]string{"DATABASE_URL": pg.URL}, c.args...)
			if got := len(records(t, b.KafkaCluster, 3, topic)); got != 3 {
				t.Errorf("the topic has %d records", got)
			}
			empty := b.NewTopic(t, "dead", 1) // the commands that use Kafka take the same settings
			if got := call(nil, append([]string{"redrive", "--from", empty, "--all", "--dry-run"}, c.args...)...); got.Code != exitcode.OK {
				t.Errorf("redrive exits with %d:\n%s", got.Code, got.Stderr)
			}
			if got := call(map[string]string{"DATABASE_URL": pg.URL}, append([]string{"replay", "--from", "1h", "--yes"}, c.args...)...); got.Code != exitcode.OK {
				t.Errorf("replay exits with %d:\n%s", got.Code, got.Stderr)
			}
			if got := call(map[string]string{"DATABASE_URL": pg.URL}, append([]string{"doctor"}, c.args...)...); got.Code != exitcode.OK {
				t.Errorf("doctor exits with %d:\n%s", got.Code, got.Stdout)
			}
		})
	}
}

// A password for Kafka that changes needs no restart either.
func TestThePasswordForKafkaChanges(t *testing.T) {
	t.Parallel()
	b := startBrokerThatAsks(t, newCertificates(t))
	b.setSCRAM(t, "first")
	file := filepath.Join(t.TempDir(), "password")
	writeTo(t, file, "first")
	topic := b.NewTopic(t, "orders", 1)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	insertMixed(t, conn, topic, 3)
	relayed := startFleet(t, fmt.Sprintf("{name: shop, database_url: %q, brokers: %q, sasl: scram-sha-256, sasl_user: relay, sasl_password_file: %q, sasl_without_tls: true}",
		pg.URL, b.sasl, file))
	published := func() bool {
		var pending int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&pending); err != nil {
			t.Fatal(err)
		}
		return pending == 0
	}
	until(t, "the rows are published", published)

	b.setSCRAM(t, "second")
	if err := b.Kill(); err != nil { // connections that are open stay valid
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	insertMixed(t, conn, topic, 3)
	until(t, "the former password is refused", func() bool { return strings.Contains(relayed.log.String(), "SASL_AUTHENTICATION_FAILED") })
	writeTo(t, file, "second")
	until(t, "the new rows are published", published)
	var counted int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE retry_count > 0").Scan(&counted); err != nil || counted != 0 {
		t.Errorf("attempts of %d rows were counted: %v", counted, err)
	}
}
