package framing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry answers as a schema registry does.
type registry struct {
	*httptest.Server

	mu       sync.Mutex
	subjects map[string]string // the answer for the newest version
	down     bool
	asked    []string // subjects, in the order of the requests
}

func newRegistry(t *testing.T, subjects map[string]string) *registry {
	t.Helper()
	r := &registry{subjects: subjects}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	subject, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(request.URL.EscapedPath(), "/subjects/"), "/versions/latest"))
	r.asked = append(r.asked, subject)
	switch answer, ok := r.subjects[subject]; {
	case err != nil || r.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, `{"error_code": 50301, "message": "the store is away"}`)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code": 40401, "message": "Subject not found."}`)
	default:
		fmt.Fprint(w, answer)
	}
}

func (r *registry) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *registry) askedFor() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// recorder is a sink that keeps what it is given.
type recorder struct{ sent []relay.Record }

func (r *recorder) Open(context.Context) (relay.Producer, error) { return r, nil }
func (r *recorder) Partition([]byte, int) int32                  { return 0 }
func (r *recorder) Close()                                       {}
func (r *recorder) Topics(_ context.Context, names []string) ([]relay.TopicInfo, error) {
	return []relay.TopicInfo{{Name: names[0], Partitions: 1, MaxBatchBytes: 1_500_000}}, nil
}

func (r *recorder) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	r.sent = append(r.sent, wave...)
	for i := range results {
		results[i] = relay.Result{}
		if ctx.Err() != nil {
			results[i] = relay.Result{Class: relay.ClassRelay, Err: ctx.Err()}
		}
	}
}

// open starts a producer that frames.
func open(t *testing.T, cfg framing.Config) (*recorder, relay.Producer) {
	t.Helper()
	inner := &recorder{}
	cfg.Client = &http.Client{Transport: &http.Transport{}}
	cfg.Logger = slog.New(slog.DiscardHandler)
	sink, err := framing.New(inner, cfg)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sink.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		cfg.Client.CloseIdleConnections()
	})
	return inner, p
}

func record(topic, eventType, value string) relay.Record {
	return relay.Record{
		Topic: topic, EventType: eventType, Key: []byte("k"), Value: []byte(value),
		Headers: []relay.Header{{Key: "event_type", Value: []byte(eventType)}},
	}
}

// send sends a wave and returns the results as text, "" for success.
func send(t *testing.T, p relay.Producer, wave ...relay.Record) []string {
	t.Helper()
	results := make([]relay.Result, len(wave))
	p.Send(t.Context(), wave, results)
	out := make([]string, len(wave))
	for i, r := range results {
		if r.Err != nil {
			out[i] = r.Class.String() + ": " + r.Err.Error()
		}
	}
	return out
}

func TestRecordsCarryTheirSchemaID(t *testing.T) {
	t.Parallel()
	const guid = "89791762-2336-4186-9674-299b90a802e2"
	for _, test := range []struct {
		name   string
		mode   framing.Mode
		answer string
		value  string
		header string // "": none
	}{
		{"prefix", framing.Prefix, `{"id": 258, "guid": "` + guid + `", "schemaType": "JSON"}`, "\x00\x00\x00\x01\x02" + `{"n": 1}`, ""},
		{
			"header", framing.Header, `{"id": 258, "guid": "` + guid + `", "schemaType": "JSON"}`, `{"n": 1}`,
			"\x01\x89\x79\x17\x62\x23\x36\x41\x86\x96\x74\x29\x9b\x90\xa8\x02\xe2",
		},
		{"header, no GUID", framing.Header, `{"id": 258, "schemaType": "JSON"}`, `{"n": 1}`, "\x00\x00\x00\x01\x02"},
		{"header, a GUID of another form", framing.Header, `{"id": 258, "guid": "17", "schemaType": "JSON"}`, `{"n": 1}`, "\x00\x00\x00\x01\x02"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reg := newRegistry(t, map[string]string{"orders-value": test.answer})
			inner, p := open(t, framing.Config{Registry: reg.URL, Mode: test.mode})
			before := record("orders", "order.placed.v1", `{"n": 1}`)
			if diff := cmp.Diff([]string{""}, send(t, p, before)); diff != "" {
				t.Fatal(diff)
			}
			want := record("orders", "order.placed.v1", test.value)
			if test.header != "" {
				want.Headers = append(want.Headers, relay.Header{Key: "__value_schema_id", Value: []byte(test.header)})
			}
			if diff := cmp.Diff([]relay.Record{want}, inner.sent); diff != "" {
				t.Errorf("the record (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(record("orders", "order.placed.v1", `{"n": 1}`), before); diff != "" {
				t.Errorf("the relay's own record changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTombstonesCarryNone(t *testing.T) {
	t.Parallel()
	for _, mode := range framing.Modes() {
		reg := newRegistry(t, map[string]string{"orders-value": `{"id": 1, "schemaType": "JSON"}`})
		inner, p := open(t, framing.Config{Registry: reg.URL, Mode: mode})
		tombstone := relay.Record{Topic: "orders", EventType: "order.deleted.v1", Key: []byte("k")}
		unknown := relay.Record{Topic: "bills", EventType: "bill.deleted.v1", Key: []byte("k")} // its subject is not there
		if diff := cmp.Diff([]string{"", ""}, send(t, p, tombstone, unknown)); diff != "" {
			t.Errorf("%s: the results (-want +got):\n%s", mode, diff)
		}
		if diff := cmp.Diff([]relay.Record{tombstone, unknown}, inner.sent); diff != "" {
			t.Errorf("%s: the record (-want +got):\n%s", mode, diff)
		}
	}
}

// A record whose schema is unknown keeps back the later ones of its partition, and
// nothing else.
func TestUnknownSchemaKeepsItsPartitionBack(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, map[string]string{"a.v1": `{"id": 1, "schemaType": "JSON"}`, "Record": `{"id": 2, "schemaType": "JSON"}`})
	inner, p := open(t, framing.Config{Registry: reg.URL, Mode: framing.Prefix, Subject: "{type}", Subjects: map[string]string{"c.v1": "Record"}})
	other := record("shop", "a.v1", "4")
	other.Partition = 1
	want := "topic: the schema registry " + reg.URL + " has no subject b.v1; register the schema, for example with outboxgen register"
	got := send(t, p, record("shop", "a.v1", "1"), record("shop", "b.v1", "2"), record("shop", "a.v1", "3"), other, record("bills", "c.v1", "5"))
	if diff := cmp.Diff([]string{"", want, want, "", ""}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	var values []string
	for _, r := range inner.sent {
		values = append(values, string(r.Value))
	}
	if diff := cmp.Diff([]string{"\x00\x00\x00\x00\x011", "\x00\x00\x00\x00\x014", "\x00\x00\x00\x00\x025"}, values); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// The registry is asked once for each topic and type. What is known stays in use while
// it is away, and a newer version is found after that.
func TestIDsAreKept(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, map[string]string{"orders-value": `{"id": 1, "schemaType": "JSON"}`})
	for _, refresh := range []time.Duration{-1, time.Nanosecond} {
		inner, p := open(t, framing.Config{Registry: reg.URL, Mode: framing.Prefix, Refresh: refresh})
		reg.set(func() { reg.down, reg.asked = false, nil })
		send(t, p, record("orders", "order.placed.v1", "1"), record("orders", "order.paid.v1", "2"))
		send(t, p, record("orders", "order.placed.v1", "3"))
		reg.set(func() { reg.down = true })
		if diff := cmp.Diff([]string{""}, send(t, p, record("orders", "order.placed.v1", "4"))); diff != "" {
			t.Errorf("results while the registry is away (-want +got):\n%s", diff)
		}
		if refresh < 0 {
			if diff := cmp.Diff([]string{"orders-value"}, reg.askedFor()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			continue
		}
		reg.set(func() { reg.down, reg.subjects["orders-value"] = false, `{"id": 2, "schemaType": "JSON"}` })
		limit := time.Now().Add(time.Minute)
		for string(inner.sent[len(inner.sent)-1].Value) != "\x00\x00\x00\x00\x025" {
			if time.Now().After(limit) {
				t.Fatalf("the newer version is not used; the last record is %q", inner.sent[len(inner.sent)-1].Value)
			}
			send(t, p, record("orders", "order.placed.v1", "5"))
		}
	}
}

// A registry that hangs does not hold up a wave for long, and Close does not wait for it.
func TestHangingRegistry(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(ended)
	}))
	t.Cleanup(hanging.Close)
	_, p := open(t, framing.Config{Registry: hanging.URL, Mode: framing.Prefix})
	want := []string{"topic: the schema registry has not answered yet"}
	for range 2 {
		if diff := cmp.Diff(want, send(t, p, record("orders", "order.placed.v1", "1"))); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	}
	p.Close()
	<-ended
}

func TestHeaderLeavesRoomInBatches(t *testing.T) {
	t.Parallel()
	for mode, want := range map[framing.Mode]int{framing.Prefix: 1_500_000, framing.Header: 1_000_000} {
		_, p := open(t, framing.Config{Registry: "http://127.0.0.1:1", Mode: mode})
		got, err := p.Topics(t.Context(), []string{"orders"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]relay.TopicInfo{{Name: "orders", Partitions: 1, MaxBatchBytes: want}}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", mode, diff)
		}
	}
}

func TestWhatTheRegistrySays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"no user":     {401, `{"error_code": 40101, "message": "Unauthorized"}`, " does not let this user read the subject orders-value (401); check the user and the password, or the token"},
		"Avro":        {200, `{"id": 1, "schema": "\"string\""}`, "the subject orders-value in the schema registry REGISTRY has no JSON Schema; register one with outboxgen register, or choose another subject"},
		"a page":      {200, `<html>`, " answers without a schema id for the subject orders-value; is this the address of Confluent's API? Apicurio has it below /apis/ccompat/v7"},
		"a redirect":  {302, ``, " answers 302 for the subject orders-value: Found"},
		"out of work": {500, `{"error_code": 50001, "message": "Error\nin the store"}`, " answers 500 for the subject orders-value: Error in the store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if user, password, _ := r.BasicAuth(); user != "ann" || password != "s3cret" {
					t.Errorf("the registry sees the user %q and the password %q", user, password)
				}
				w.Header().Set("Location", "http://127.0.0.1:1/")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			t.Cleanup(server.Close)
			sink, err := framing.New(&recorder{}, framing.Config{Registry: server.URL, User: "ann", Password: "s3cret", Mode: framing.Prefix})
			if err != nil {
				t.Fatal(err)
			}
			p, err := sink.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			want := test.want
			if want[0] == ' ' {
				want = "the schema registry REGISTRY" + want
			}
			if diff := cmp.Diff([]string{"topic: " + strings.ReplaceAll(want, "REGISTRY", server.URL)}, send(t, p, record("orders", "order.placed.v1", "1"))); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": 1, "schemaType": "JSON"})
	}))
	t.Cleanup(server.Close)
	_, p := open(t, framing.Config{Registry: server.URL, Token: "t0ken", Mode: framing.Header})
	send(t, p, record("orders", "order.placed.v1", "1"))
	if seen != "Bearer t0ken" {
		t.Errorf("the registry sees %q", seen)
	}
}

func TestWrongConfigurations(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]framing.Config{
		"no address":            {Mode: framing.Prefix},
		"a password":            {Registry: "http://ann:s3cret@registry", Mode: framing.Prefix},
		"a cut password":        {Registry: "http://ann:s3/cret@registry", Mode: framing.Prefix},
		"no mode":               {Registry: "http://registry"},
		"a token and a user":    {Registry: "http://registry", Mode: framing.Prefix, Token: "s3cret", User: "ann"},
		"an unknown place":      {Registry: "http://registry", Mode: framing.Prefix, Subject: "{name}"},
		"a query":               {Registry: "http://registry?key=s3cret", Mode: framing.Prefix},
		"no scheme at the host": {Registry: "registry:8081", Mode: framing.Prefix},
	} {
		_, err := framing.New(&recorder{}, cfg)
		if err == nil || !strings.HasPrefix(err.Error(), "framing: Config") || strings.Contains(err.Error(), "s3") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := framing.New(&recorder{}, framing.Config{Registry: "https://registry/apis/ccompat/v7/", Mode: framing.Header}); err != nil {
		t.Error(err)
	}
}
