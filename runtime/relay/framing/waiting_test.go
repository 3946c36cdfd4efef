package framing_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

// halfAway answers for the topic known and for nothing else.
type halfAway struct{ started *atomic.Int32 }

func (h halfAway) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/known-value/") {
		body := io.NopCloser(strings.NewReader(`{"id": 1, "schemaType": "JSON"}`))
		return &http.Response{StatusCode: http.StatusOK, Body: body, Request: r}, nil
	}
	h.started.Add(1)
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// openHalfAway starts a producer with a registry that answers for one topic. The
// producer already has its id. started returns the number of other requests.
func openHalfAway(t *testing.T) (inner *recorder, p relay.Producer, started *atomic.Int32) {
	t.Helper()
	inner, started = &recorder{}, new(atomic.Int32)
	sink, err := framing.New(inner, framing.Config{
		Registry: "http://registry", Mode: framing.Prefix,
		Client: &http.Client{Transport: halfAway{started}}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = sink.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if diff := cmp.Diff([]string{""}, send(t, p, record("known", "order.placed.v1", "0"))); diff != "" {
		t.Fatal(diff)
	}
	return inner, p, started
}

// sendUntil is send with a context that ends after a while.
func sendUntil(t *testing.T, p relay.Producer, after time.Duration, end func(context.Context, time.Duration) (context.Context, context.CancelFunc), wave ...relay.Record) []string {
	t.Helper()
	ctx, cancel := end(t.Context(), after)
	defer cancel()
	results := make([]relay.Result, len(wave))
	p.Send(ctx, wave, results)
	out := make([]string, len(wave))
	for i, r := range results {
		if r.Err != nil {
			out[i] = r.Class.String() + ": " + r.Err.Error()
		}
	}
	return out
}

func cancelAfter(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(d, cancel)
	return ctx, cancel
}

// A relay that lost its lease while it waited for an id sends nothing.
func TestNothingIsSentAfterTheEndOfTheTerm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner, p, _ := openHalfAway(t)
		before := slices.Clone(inner.sent)
		got := sendUntil(t, p, 100*time.Millisecond, cancelAfter, record("known", "order.placed.v1", "1"), record("new", "order.placed.v1", "2"))
		want := "relay: nothing was sent: the wave ended while its schema ids were looked up: context canceled"
		if diff := cmp.Diff([]string{want, want}, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(before, inner.sent); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

// A registry that hangs leaves the rest of the wave time to be sent.
func TestAShortWaveIsSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p, _ := openHalfAway(t)
		got := sendUntil(t, p, 80*time.Millisecond, context.WithTimeout, record("known", "order.placed.v1", "1"), record("new", "order.placed.v1", "2"))
		if diff := cmp.Diff([]string{"", "topic: the schema registry has not answered yet"}, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

// A wave with very many topics does not open as many connections to the registry.
func TestRequestsAtOnceAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p, started := openHalfAway(t)
		wave := make([]relay.Record, 100)
		for i := range wave {
			wave[i] = record(fmt.Sprintf("tenant-%d", i), "order.placed.v1", "1")
		}
		send(t, p, wave...)
		if n := started.Load(); n != 16 {
			t.Errorf("%d requests are under way, want 16", n)
		}
	})
}
