//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	outboxruntime "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// collector is an OpenTelemetry Collector that writes the spans that it gets into a file.
type collector struct{ http, grpc, file string }

func startCollector(t *testing.T) *collector {
	t.Helper()
	folder := os.Getenv("OUTBOXGEN_SERVICES")
	if folder == "" {
		folder = filepath.Join("..", "..", ".services")
	}
	binary := services.Program(t, "otelcol", filepath.Join(folder, "otelcol", "otelcol"))
	dir := t.TempDir()
	c := &collector{file: filepath.Join(dir, "spans.json")}
	for _, address := range []*string{&c.http, &c.grpc} {
		port, err := freeport.Find()
		if err != nil {
			t.Fatal(err)
		}
		*address = "127.0.0.1:" + port
	}
	config := filepath.Join(dir, "collector.yaml")
	writeTo(t, config, fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      http: {endpoint: %q}
      grpc: {endpoint: %q}
exporters:
  file: {path: %q, flush_interval: 50ms}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
`, c.http, c.grpc, c.file))
	log := &watched{written: make(chan struct{}, 1)}
	cmd := exec.Command(binary, "--config", "file:"+config)
	cmd.Stderr = log
	process, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Signal(syscall.SIGTERM)
		<-process.Ended()
		if t.Failed() {
			t.Log(log)
		}
	})
	for _, address := range []string{c.http, c.grpc} {
		until(t, "the collector listens", func() bool {
			if !process.Running() {
				t.Fatalf("the collector ended:\n%s", log)
			}
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
	return c
}

// otlpSpan is a span in the file of the collector.
type otlpSpan struct {
	Service string `json:"-"`
	TraceID string
	SpanID  string
	Parent  string `json:"parentSpanId"`
	Name    string
	Kind    int
	Links   []struct{ TraceID, SpanID string }
	Status  struct {
		Code    int
		Message string
	}
	Attributes []struct {
		Key   string
		Value map[string]any
	}
}

// attributes returns those of the span whose values are the same in each run.
func (s otlpSpan) attributes() map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		for _, value := range a.Value {
			all[a.Key] = fmt.Sprint(value)
		}
	}
	return all
}

// spans returns the spans of a trace that the collector has written.
func (c *collector) spans(t *testing.T, traceID string) (found []otlpSpan) {
	t.Helper()
	content, err := os.ReadFile(c.file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		var batch struct {
			ResourceSpans []struct {
				Resource struct {
					Attributes []struct {
						Key   string
						Value struct{ StringValue string }
					}
				}
				ScopeSpans []struct{ Spans []otlpSpan }
			}
		}
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &batch) != nil {
			continue // it is being written
		}
		for _, r := range batch.ResourceSpans {
			service := ""
			for _, a := range r.Resource.Attributes {
				if a.Key == "service.name" {
					service = a.Value.StringValue
				}
			}
			for _, scope := range r.ScopeSpans {
				for _, s := range scope.Spans {
					if s.Service = service; s.TraceID == traceID {
						found = append(found, s)
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b otlpSpan) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// provider exports the spans of a part of the test to the collector.
func (c *collector) provider(t *testing.T, service string) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(c.http), otlptracehttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	t.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(t.Context())) })
	return provider
}

// The insert of an event, its way through the relay, and its handling are one trace in a
// collector, with each protocol.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	c := startCollector(t)
	k := services.PrivateKafka(t)
	const topic = "grading.essay.graded.v1"
	k.CreateTopic(t, topic, 1)
	for i, protocol := range []string{"http/protobuf", "grpc"} {
		t.Run(protocol, func(t *testing.T) { // one after the other, because they share the topic
			pg := services.Postgres(t)
			migrated(t, pg.Connect(t.Context()))
			ob := outboxruntime.New(pg.Pool, outboxruntime.Options{Logger: slog.New(slog.DiscardHandler)})
			t.Cleanup(ob.Close)
			id := uuid.New()
			ctx, span := c.provider(t, "grading").Tracer("test").Start(t.Context(), "POST /grades", trace.WithSpanKind(trace.SpanKindServer))
			err := ob.InTx(ctx, func(ctx context.Context, tx *outboxruntime.Tx) error {
				return events.InsertEssayGradedV1(ctx, tx, events.EssayGradedV1{
					BatchID: "b-1", EssayID: uuid.New(), Number: 1, Score: 0.5, Grade: events.GradeC, GradedAt: time.Now(),
				}, outboxruntime.WithID(id), outboxruntime.WithCorrelationID("c-1"))
			})
			span.End()
			if err != nil {
				t.Fatal(err)
			}
			traceID := span.SpanContext().TraceID().String()

			endpoint := "http://" + c.http
			if protocol == "grpc" {
				endpoint = "http://" + c.grpc
			}
			cmd := exec.Command(os.Args[0], "run", "--drain", "--listen", "", "--brokers", k.Brokers[0], "--name", "shop")
			cmd.Env = append(os.Environ(), asCommand+"=1", "DATABASE_URL="+pg.URL,
				"OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL="+protocol, "OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=test")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}

			handled := make(chan trace.SpanContext, 1)
			router := consume.NewRouter()
			events.OnEssayGradedV1(router, func(ctx context.Context, e outboxruntime.Envelope[events.EssayGradedV1]) error {
				if e.EventID == id {
					handled <- trace.SpanContextFromContext(ctx)
				}
				return nil
			})
			consuming, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				ended <- kafka.Run(consuming, kafka.Config{
					Brokers: k.Brokers, Group: fmt.Sprint("readers-", i), Topics: []string{topic}, Router: router,
					TracerProvider: c.provider(t, "reporting"), ContinueTraces: true, Logger: slog.New(slog.DiscardHandler),
				})
			}()
			inHandler := <-handled
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if inHandler.TraceID().String() != traceID {
				t.Errorf("the handler is in the trace %s, want %s", inHandler.TraceID(), traceID)
			}

			var spans []otlpSpan
			until(t, "the collector has the three spans", func() bool {
				spans = c.spans(t, traceID)
				return len(spans) >= 3
			})
			if len(spans) != 3 {
				t.Fatalf("the trace has %d spans: %+v", len(spans), spans)
			}
			inserted, processed, sent := spans[0], spans[1], spans[2]
			const server, client, consumer = 2, 3, 5
			if diff := cmp.Diff([]string{
				fmt.Sprintf("grading: POST /grades, kind %d, parent ", server),
				fmt.Sprintf("reporting: process %s, kind %d, parent %s", topic, consumer, inserted.SpanID),
				fmt.Sprintf("outboxrelay: send %s, kind %d, parent %s", topic, client, inserted.SpanID),
			}, []string{inserted.String(), processed.String(), sent.String()}); diff != "" {
				t.Errorf("the trace (-want +got):\n%s", diff)
			}
			shared := map[string]string{
				"messaging.system": "kafka", "messaging.destination.name": topic, "messaging.destination.partition.id": "0",
				"messaging.message.id": id.String(), "messaging.message.conversation_id": "c-1", "messaging.kafka.message.key": "b-1",
				"outbox.event_type": topic, "messaging.message.body.size": sent.attributes()["messaging.message.body.size"],
			}
			with := func(more map[string]string) map[string]string {
				for key, value := range shared {
					more[key] = value
				}
				return more
			}
			if diff := cmp.Diff(with(map[string]string{"messaging.operation.type": "send", "messaging.operation.name": "send", "outbox": "shop"}), sent.attributes()); diff != "" {
				t.Errorf("the relay's span (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(with(map[string]string{
				"messaging.operation.type": "process", "messaging.operation.name": "process", "outbox.attempt": "1",
				"messaging.consumer.group.name": fmt.Sprint("readers-", i), "messaging.kafka.offset": fmt.Sprint(i),
			}), processed.attributes()); diff != "" {
				t.Errorf("the consumer's span (-want +got):\n%s", diff)
			}
			if len(sent.Links) != 1 {
				t.Fatalf("the relay's span has %d links, want one to the wave", len(sent.Links))
			}
			var wave []otlpSpan
			until(t, "the collector has the span of the wave", func() bool {
				wave = c.spans(t, sent.Links[0].TraceID)
				return len(wave) > 0
			})
			if len(wave) != 1 || len(wave[0].Links) != 1 || wave[0].Links[0].SpanID != inserted.SpanID {
				t.Errorf("the span of the wave is not linked to the insert: %+v", wave)
			}
		})
	}
}

func (s otlpSpan) String() string {
	return fmt.Sprintf("%s: %s, kind %d, parent %s", s.Service, s.Name, s.Kind, s.Parent)
}

// Variables with invalid values are reported at the start; without variables there is no
// tracing.
func TestTracingVariables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, want string
	}{
		{"OTEL_TRACES_EXPORTER", "zipkin", `variable OTEL_TRACES_EXPORTER: outboxrelay has no exporter "zipkin": use otlp or none`},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", `variable OTEL_EXPORTER_OTLP_PROTOCOL: invalid value "http/json": use http/protobuf or grpc`},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318", "variable OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: it is not an address such as https://user:password@host:8081"},
	} {
		env := map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", c.name: c.value}
		got := call(env, "run", "--sink", "stdout")
		if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + c.want + "\n"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// A collector that refuses spans costs nothing but spans, and the log says so without the
// token in the headers.
func TestACollectorThatRefuses(t *testing.T) {
	t.Parallel()
	const token = "Kw4zqVx9rt"
	asked := make(chan string, 100)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "no access with "+token)
	}))
	t.Cleanup(refuses.Close)
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	migrated(t, conn)
	insertMixed(t, conn, "orders", 3)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET headers = '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}'`); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "run", "--drain", "--listen", "", "--sink", "stdout")
	cmd.Env = append(os.Environ(), asCommand+"=1", "DATABASE_URL="+pg.URL,
		"OTEL_EXPORTER_OTLP_ENDPOINT="+refuses.URL, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer "+token)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	select {
	case got := <-asked:
		if got != "Bearer "+token {
			t.Errorf("the header is %q", got)
		}
	default:
		t.Errorf("no span was exported:\n%s", out)
	}
	if text := string(out); strings.Count(text, "spans not exported, they are lost") != 1 || strings.Contains(text, token) {
		t.Errorf("the relay says:\n%s", text)
	}
	var pending int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&pending); err != nil || pending != 0 {
		t.Errorf("%d rows are not published: %v", pending, err)
	}
}
