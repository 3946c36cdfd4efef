package endtoend_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// confluent returns a Python with Confluent's client.
func confluent(t *testing.T) string {
	t.Helper()
	python := os.Getenv("OUTBOXGEN_PYTHON")
	if python == "" {
		t.Skip("skipped without Python: OUTBOXGEN_PYTHON must name an interpreter that has confluent-kafka[json,schemaregistry]")
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "from confluent_kafka.schema_registry import header_schema_id_serializer, json_schema").CombinedOutput(); err != nil {
		t.Skipf("skipped: %s, which OUTBOXGEN_PYTHON names, has no confluent-kafka[json,schemaregistry]: %s", python, out)
	}
	return python
}

// schemaRegistry is the address of a schema registry: the one that OUTBOXGEN_REGISTRY
// names, or an Apicurio Registry that is started for the test.
func schemaRegistry(t *testing.T) string {
	t.Helper()
	if address := os.Getenv("OUTBOXGEN_REGISTRY"); address != "" {
		return address
	}
	jars, err := filepath.Glob(filepath.Join(os.Getenv("OUTBOXGEN_SERVICES"), "apicurio", "*-runner.jar"))
	must(t, err)
	java, err := exec.LookPath("java")
	if len(jars) == 0 || err != nil {
		t.Skip("skipped without a schema registry: OUTBOXGEN_REGISTRY must be the address of one, or java must be on the PATH and " +
			"OUTBOXGEN_SERVICES/apicurio must have the files of io.apicurio:apicurio-registry-app:2.6.13.Final:all from Maven, unpacked")
	}
	port, err := freePort(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	registry := exec.CommandContext(ctx, java, "-Xmx512m", "-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", port), "-jar", jars[0])
	registry.Dir = t.TempDir()
	must(t, registry.Start())
	ended, cause := make(chan struct{}), error(nil)
	go func() {
		defer close(ended)
		cause = registry.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	address := fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", port)
	answers := func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/subjects", http.NoBody)
		must(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		must(t, response.Body.Close())
		return response.StatusCode == http.StatusOK
	}
	const toStart = 5 * time.Minute
	limit := time.After(toStart)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !answers() {
		select {
		case <-ended:
			t.Fatalf("Apicurio Registry ended: %v", cause)
		case <-limit:
			t.Fatalf("Apicurio Registry does not answer within %s", toStart)
		case <-tick.C:
		}
	}
	return address
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// withGUIDs returns the address of the registry as one that gives GUIDs, as Confluent's own
// does and Apicurio does not: it adds one to each answer about a schema, and finds a schema
// by it.
func withGUIDs(t *testing.T, address string) string {
	t.Helper()
	const prefix = "89791762-2336-4186-9674-" // and the id, in hexadecimal
	to, err := url.Parse(address)
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if base, guid, ok := strings.Cut(r.Out.URL.Path, "/schemas/guids/"+prefix); ok {
				id, err := strconv.ParseUint(guid, 16, 32)
				if err != nil {
					t.Errorf("the client asks for the GUID %s%s", prefix, guid)
				}
				r.Out.URL.Path = fmt.Sprintf("%s/schemas/ids/%d", base, id)
			}
			r.SetURL(to)
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(r *http.Response) error {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			var answer map[string]any
			if json.Unmarshal(text, &answer) == nil && answer["schema"] != nil {
				id, ok := answer["id"].(float64)
				if !ok { // an answer about an id
					at := r.Request.URL.Path
					if id, err = strconv.ParseFloat(at[strings.LastIndexByte(at, '/')+1:], 64); err != nil {
						return err
					}
					answer["id"] = id
				}
				answer["guid"] = fmt.Sprintf("%s%012x", prefix, int(id))
				if text, err = json.Marshal(answer); err != nil {
					return err
				}
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			r.ContentLength = int64(len(text))
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// With a real registry, Confluent's deserialiser reads what the relay wrote. Our
// handlers read that, and what Confluent's serialiser wrote. Rows stay JSON.
func TestConfluentClient(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	python, address := confluent(t), schemaRegistry(t)
	registered, err := generator.Register(t.Context(), generator.RegisterConfig{Config: generator.Config{Dir: ".."}, Registry: address})
	must(t, err)
	if registered.Failed() {
		t.Fatalf("the schemas are not registered: %+v", registered)
	}
	for name, c := range map[string]struct {
		mode     framing.Mode
		address  string
		write    string // the command of confluent.py
		prefixed int    // of two records, one of ours and one of Confluent's
		header   string // with which each schema id in a header begins; "": there is none
	}{
		"prefix":           {framing.Prefix, address, "write", 2, ""},
		"header":           {framing.Header, address, "write", 1, "\x00"},
		"header with GUID": {framing.Header, withGUIDs(t, address), "write-guid", 0, "\x01"},
	} {
		t.Run(name, func(t *testing.T) {
			address := c.address
			k := services.KFake(t)
			k.CreateTopic(t, topic, 3)
			p := newPath(t, services.Postgres(t), k, nil)
			p.relay(func(cfg *relay.Config) {
				var err error
				cfg.Sink, err = framing.New(cfg.Sink, framing.Config{Registry: address, Mode: c.mode, Logger: quiet()})
				must(t, err)
			})
			const n = 16
			p.gradeAll([]string{"b-1", "b-2"}, n/2)
			p.published(n)

			run := func(input []byte, args ...string) []byte {
				t.Helper()
				cmd := exec.CommandContext(t.Context(), python, append([]string{"confluent.py", args[0], k.Brokers[0], address, topic}, args[1:]...)...)
				cmd.Stdin = bytes.NewReader(input)
				var stderr strings.Builder
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				if err != nil {
					t.Fatalf("confluent.py %s: %v\n%s", args[0], err, stderr.String())
				}
				return out
			}
			type document = map[string]any
			byID := func(all map[string]document, text []byte) {
				t.Helper()
				var d document
				must(t, json.Unmarshal(text, &d))
				all[fmt.Sprint(d["event_id"])] = d
			}
			want, got := map[string]document{}, map[string]document{}
			var more []byte // other events like these
			expected := map[uuid.UUID]bool{}
			for _, row := range p.rows() {
				byID(want, []byte(row.Data))
				id := uuid.New()
				more = append(more, strings.ReplaceAll(row.Data, row.ID.String(), id.String())+"\n"...)
				expected[row.ID], expected[id] = true, true
			}
			for line := range bytes.Lines(run(nil, "read", fmt.Sprint(n))) {
				byID(got, line)
			}
			equal(t, "what Confluent's deserialiser reads", want, got)

			run(more, c.write)
			records := p.records(topic)
			prefixed, inHeader := 0, 0
			for _, r := range records {
				if r.Value[0] == 0 {
					prefixed++
				}
				for _, h := range r.Headers {
					if h.Key == "__value_schema_id" && c.header != "" && strings.HasPrefix(string(h.Value), c.header) {
						inHeader++
					}
				}
			}
			equal(t, "records with the id before the value, and in a header", []int{c.prefixed * n, (2 - c.prefixed) * n}, []int{prefixed, inHeader})

			handled := make(chan uuid.UUID, len(records))
			router := consume.NewRouter(consume.OnUnknown(consume.Fail))
			events.OnEssayGradedV1(router, func(_ context.Context, e outbox.Envelope[events.EssayGradedV1]) error {
				if err := e.Data.Validate(); err != nil {
					return err
				}
				handled <- e.EventID
				return nil
			})
			p.consume(router, topic)
			limit := time.After(patience)
			seen := map[uuid.UUID]bool{}
			for len(seen) < 2*n {
				select {
				case id := <-handled:
					seen[id] = true
				case <-limit:
					t.Fatalf("%d of %d records are handled", len(seen), 2*n)
				}
			}
			equal(t, "events that are handled", expected, seen)
		})
	}
}
