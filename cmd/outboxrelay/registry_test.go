package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

// registrySettings returns all settings that readRegistry reads, with some changed.
func registrySettings(changed values) values {
	v := values{}
	for _, s := range only("schema-id", "registry-url", "registry-auth", "registry-auth-file", "registry-token", "registry-token-file", "registry-subject", "registry-subjects", "registry-refresh") {
		v[s.name] = s.def
	}
	for name, text := range changed {
		v[name] = text
	}
	return v
}

func TestRegistrySettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given values
		want  *framing.Config
	}{
		"none": {values{"registry-url": "http://registry:8081"}, nil},
		"the defaults": {
			values{"schema-id": "prefix", "registry-url": "http://registry:8081"},
			&framing.Config{Registry: "http://registry:8081", Mode: framing.Prefix, Subject: "{topic}-value", Subjects: map[string]string{}, Refresh: time.Minute},
		},
		"all": {
			values{
				"schema-id": "header", "registry-url": "https://registry/apis/ccompat/v7", "registry-auth": "ann:s3:cret",
				"registry-subject": "{topic}-{type}", "registry-subjects": "order.placed.v1=OrderPlaced, order.paid.v1=OrderPaid", "registry-refresh": "0",
			},
			&framing.Config{
				Registry: "https://registry/apis/ccompat/v7", User: "ann", Password: "s3:cret", Mode: framing.Header, Subject: "{topic}-{type}",
				Subjects: map[string]string{"order.placed.v1": "OrderPlaced", "order.paid.v1": "OrderPaid"}, Refresh: -1,
			},
		},
		"a user in the address": {
			values{"schema-id": "prefix", "registry-url": "https://ann:s3cret@registry"},
			&framing.Config{
				Registry: "https://registry", User: "ann", Password: "s3cret", Mode: framing.Prefix, Subject: "{topic}-value",
				Subjects: map[string]string{}, Refresh: time.Minute,
			},
		},
	} {
		r := newReader(only("schema-id", "registry-refresh"), registrySettings(test.given), &secret.Redactor{})
		got := readRegistry(r)
		if err := r.misuse(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWrongRegistrySettings(t *testing.T) {
	t.Parallel()
	const address = "http://registry:8081"
	file := filepath.Join(t.TempDir(), "token")
	writeTo(t, file, "s3cret\n")
	for name, test := range map[string]struct {
		given values
		want  string
	}{
		"no address": {values{}, "the address of the schema registry (schema-id is prefix) is missing: set --registry-url, " +
			"OUTBOXRELAY_REGISTRY_URL, SCHEMA_REGISTRY_URL, or registry_url in the settings file (--config)"},
		"no URL":              {values{"registry-url": "registry:8081"}, "setting registry-url: it is not an address such as https://user:password@host:8081"},
		"a cut password":      {values{"registry-url": "http://ann:s3/cret@registry"}, "setting registry-url: an @ follows the first /, ? or #, so a password may have been cut off there; in a user"},
		"no password":         {values{"registry-url": address, "registry-auth": "s3cret"}, "setting registry-auth: it must have the form user:password"},
		"a token and a user":  {values{"registry-url": address, "registry-auth": "a:s3cret", "registry-token": "s3cret"}, "setting registry-token: registry-auth or registry-url also sets a user: set either the token or the user"},
		"no subject":          {values{"registry-url": address, "registry-subjects": "OrderPlaced"}, `setting registry-subjects: "OrderPlaced" must have the form EVENT_TYPE=SUBJECT`},
		"an unknown place":    {values{"registry-url": address, "registry-subject": "{name}"}, `setting registry-subject: framing: Config.Subject is "{name}": only {topic} and {type} can be in braces`},
		"a file and a token":  {values{"registry-url": address, "registry-token": "s3cret", "registry-token-file": file}, "setting registry-token-file: registry-token is set too: remove one of them"},
		"a file and a user":   {values{"registry-url": address, "registry-auth": "a:s3cret", "registry-token-file": file}, "setting registry-token-file: registry-auth or registry-url also sets a user: set either the token or the user"},
		"two users":           {values{"registry-url": "http://a:s3cret@registry", "registry-auth-file": file}, "setting registry-auth-file: registry-auth or registry-url also sets a user: remove one of them"},
		"a user and a token":  {values{"registry-url": address, "registry-token": "s3cret", "registry-auth-file": file}, "setting registry-auth-file: registry-token is set too: set either the token or the user"},
		"two files":           {values{"registry-url": address, "registry-token-file": file, "registry-auth-file": file}, "setting registry-token-file: registry-auth-file is set too: set either the token or the user"},
		"no such file":        {values{"registry-url": address, "registry-token-file": "s3cret"}, "setting registry-token-file: the file of registry-token-file cannot be read: no such file or directory"},
		"no user in the file": {values{"registry-url": address, "registry-auth-file": file}, "setting registry-auth-file: the file of registry-auth-file must have the form user:password"},
	} {
		test.given["schema-id"] = "prefix"
		secrets := &secret.Redactor{}
		r := newReader(only("schema-id"), registrySettings(test.given), secrets)
		readRegistry(r)
		err := r.misuse()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(secrets.Text(err.Error()), "s3") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The command adds the id of the schema according to its settings, and shows no
// password.
func TestRunAddsSchemaIDs(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 1)
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "ann" || password != "Kw4zqVx9rt" || r.URL.Path != "/subjects/OrderPaid/versions/latest" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, `{"id": 7, "schemaType": "JSON"}`)
	}))
	t.Cleanup(registry.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		VALUES ('a', 'order', 'order.paid.v1', $1, 'k', '{"n": 1}')`, topic); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"DATABASE_URL": pg.URL, "KAFKA_BROKERS": k.Brokers[0], "SCHEMA_REGISTRY_URL": registry.URL,
		"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "ann:Kw4zqVx9rt", "OUTBOXRELAY_SCHEMA_ID": "prefix", "OUTBOXRELAY_REGISTRY_SUBJECTS": "order.paid.v1=OrderPaid",
	}
	if diff := cmp.Diff(answer{}, call(env, "run", "--drain", "--listen", "", "--log-level", "error")); diff != "" {
		t.Fatalf("run (-want +got):\n%s", diff)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := client.PollRecords(t.Context(), 1).Records()
	if diff := cmp.Diff("\x00\x00\x00\x00\x07"+`{"n": 1}`, string(records[0].Value)); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if shown := call(env, "config"); strings.Contains(shown.Stdout, "Kw4z") {
		t.Errorf("config shows the password: %s", shown.Stdout)
	}
}

// guardedRegistry is a registry that knows every subject, and wants a header.
type guardedRegistry struct {
	*httptest.Server

	mu     sync.Mutex
	wanted string // the header Authorization
}

func startGuardedRegistry(t *testing.T) *guardedRegistry {
	t.Helper()
	r := &guardedRegistry{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if got := request.Header.Get("Authorization"); got != r.wanted {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error_code": 401, "message": "not %s"}`, got)
			return
		}
		fmt.Fprint(w, `{"id": 7, "schemaType": "JSON"}`)
	}))
	t.Cleanup(r.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return r
}

func (r *guardedRegistry) want(header string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = header
}

// Credentials for the registry that change need no restart. Meanwhile rows wait, and no
// attempt is counted.
func TestCredentialsForTheRegistryChange(t *testing.T) {
	t.Parallel()
	basic := func(user, password string) string {
		request := &http.Request{Header: http.Header{}}
		request.SetBasicAuth(user, password)
		return request.Header.Get("Authorization")
	}
	for setting, c := range map[string]struct{ first, firstHeader, second, secondHeader string }{
		"registry_token_file": {"Kw4zqVx9rt\n", "Bearer Kw4zqVx9rt", "Zp7hmNd2sk\n", "Bearer Zp7hmNd2sk"},
		"registry_auth_file":  {"ann:Kw4zqVx9rt", basic("ann", "Kw4zqVx9rt"), "bob:Zp7hmNd2sk", basic("bob", "Zp7hmNd2sk")},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			pg := services.Postgres(t)
			conn := pg.Connect(t.Context())
			migrated(t, conn)
			k := services.KFake(t)
			topic := k.NewTopic(t, "orders", 1)
			registry := startGuardedRegistry(t)
			registry.want(c.firstHeader)
			file := filepath.Join(t.TempDir(), "secret")
			writeTo(t, file, c.first)
			insert := func(eventType string) {
				t.Helper()
				if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
					VALUES ('a', 'order', $1, $2, 'k', '{"n": 1}')`, eventType, topic); err != nil {
					t.Fatal(err)
				}
			}
			published := func() bool {
				var pending int
				if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&pending); err != nil {
					t.Fatal(err)
				}
				return pending == 0
			}
			insert("order.placed")
			relayed := startFleet(t, fmt.Sprintf("{name: shop, database_url: %q, brokers: %q, schema_id: prefix, registry_url: %q, registry_subject: '{type}', %s: %q}",
				pg.URL, k.Brokers[0], registry.URL, setting, file))
			until(t, "the first row is published", published)

			registry.want(c.secondHeader)
			insert("order.paid") // its schema is not known yet
			until(t, "the former secret is refused", func() bool {
				return strings.Contains(relayed.log.String(), "does not let this user read the subject order.paid (401); check the user and the password, or the token")
			})
			writeTo(t, file, c.second)
			until(t, "the second row is published", published)
			var counted int
			if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE retry_count > 0").Scan(&counted); err != nil || counted != 0 {
				t.Errorf("attempts of %d rows were counted: %v", counted, err)
			}
			if log := relayed.log.String(); strings.Contains(log, "Kw4z") || strings.Contains(log, "Zp7h") {
				t.Errorf("the log has a secret:\n%s", log)
			}
		})
	}
}
