// Package tracing exports spans as the standard variables of OpenTelemetry say.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// flushLimit is how long the end of the process waits for the last spans.
const flushLimit = 5 * time.Second

// Settings are what the variables say; the exporter and the SDK read more of them.
type Settings struct {
	protocol string // "": there is no tracing
}

// Read reads the variables that say whether and how spans are exported. Without any of
// them, there is no tracing: most relays have no collector beside them, as the standard's
// default assumes.
func Read(getenv func(string) string, secrets *secret.Redactor) (Settings, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for header := range strings.SplitSeq(getenv(name), ",") {
			_, value, _ := strings.Cut(header, "=")
			secrets.Add(strings.TrimSpace(value))
		}
	}
	addressed := false
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
		if address := getenv(name); address != "" {
			addressed = true
			if _, err := secrets.HTTP(address); err != nil {
				return Settings{}, fmt.Errorf("variable %s: %w", name, err)
			}
		}
	}
	if strings.EqualFold(strings.TrimSpace(getenv("OTEL_SDK_DISABLED")), "true") {
		return Settings{}, nil
	}
	switch exporter := getenv("OTEL_TRACES_EXPORTER"); {
	case exporter == "none", exporter == "" && !addressed:
		return Settings{}, nil
	case exporter != "" && exporter != "otlp":
		return Settings{}, fmt.Errorf("variable OTEL_TRACES_EXPORTER: outboxrelay has no exporter %q: use otlp or none", exporter)
	}
	name := "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	protocol := getenv(name)
	if protocol == "" {
		name = "OTEL_EXPORTER_OTLP_PROTOCOL"
		protocol = getenv(name)
	}
	switch protocol {
	case "":
		return Settings{"http/protobuf"}, nil
	case "http/protobuf", "grpc":
		return Settings{protocol}, nil
	}
	return Settings{}, fmt.Errorf("variable %s: invalid value %q: use http/protobuf or grpc", name, protocol)
}

// Start returns the provider of tracers, and a function that exports the last spans; nil if
// there is no tracing. A collector that does not answer costs spans, and nothing else: the
// queue of spans has a limit, and what does not fit is dropped.
func (s Settings) Start(ctx context.Context, version string, log *slog.Logger, secrets *secret.Redactor) (*sdktrace.TracerProvider, func(), error) {
	if s.protocol == "" {
		return nil, func() {}, nil
	}
	// Otherwise the SDK writes its problems to the standard error as plain text, with
	// values of variables.
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("tracing", "error", err) }))
	var client otlptrace.Client
	if s.protocol == "grpc" {
		client = otlptracegrpc.NewClient()
	} else {
		client = otlptracehttp.NewClient()
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, nil, fmt.Errorf("the exporter of spans does not start: %w; check the variables OTEL_EXPORTER_OTLP_*", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "outboxrelay"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, nil, fmt.Errorf("variable OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(&discreet{SpanExporter: exporter, log: log, secrets: secrets}))
	log.Info("spans are exported", "protocol", s.protocol)
	return provider, func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushLimit)
		defer cancel()
		if err := provider.Shutdown(limited); err != nil {
			log.Warn("the last spans were not exported", "error", err)
		}
	}, nil
}

// quietFor is how long a repeated failure is not logged.
const quietFor = time.Minute

// discreet is an exporter that exports no secrets, and logs failures once a minute. The
// processor calls it from one goroutine at a time.
type discreet struct {
	sdktrace.SpanExporter

	log     *slog.Logger
	secrets *secret.Redactor
	failed  time.Time // when a failure was logged; zero: the last export succeeded
	lost    int       // spans since then
}

func (d *discreet) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	clean := make([]sdktrace.ReadOnlySpan, len(spans))
	for i, s := range spans {
		clean[i] = redacted{s, d.secrets}
	}
	err := d.SpanExporter.ExportSpans(ctx, clean)
	switch {
	case err == nil && !d.failed.IsZero():
		d.log.InfoContext(ctx, "spans are exported again", "lost", d.lost)
		d.failed, d.lost = time.Time{}, 0
	case err != nil:
		d.lost += len(spans)
		if time.Since(d.failed) >= quietFor {
			d.failed = time.Now()
			d.log.WarnContext(ctx, "spans not exported, they are lost; rows are still published; check OTEL_EXPORTER_OTLP_ENDPOINT and the collector",
				"lost", d.lost, "error", err)
		}
	}
	return nil
}

// redacted is a span whose status repeats no secret, as messages of brokers may.
type redacted struct {
	sdktrace.ReadOnlySpan
	secrets *secret.Redactor
}

func (r redacted) Status() sdktrace.Status {
	s := r.ReadOnlySpan.Status()
	s.Description = r.secrets.Text(s.Description)
	return s
}
