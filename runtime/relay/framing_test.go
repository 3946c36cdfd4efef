package relay_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

// While the registry is unavailable, the rows of topics without a known schema id wait.
// No attempt is counted, they are sent in order afterwards, and other topics continue.
func TestRegistryAway(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"id": 7, "schemaType": "JSON"}`)
	}))
	t.Cleanup(registry.Close)
	k := services.KFake(t)
	known, unknown := k.NewTopic(t, "known", 1), k.NewTopic(t, "unknown", 1)
	sink, err := framing.New(kafkaSink(t, k.Brokers), framing.Config{Registry: registry.URL, Mode: framing.Prefix, Refresh: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	store := relay.NewMemStore()
	r := start(t, relay.Config{Store: store, Sink: sink, PauseMin: 10 * time.Millisecond, PauseMax: 50 * time.Millisecond, PageRows: 20, BufferRows: 60})
	store.Add(rows(10, known, "k")...)
	r.w.publishes(t, 10)

	away.Store(true)
	store.Add(rows(200, unknown, "k")...)
	r.w.until(t, "the topic pauses", func(w *watcher) bool { return w.status.PausedTopicCount == 1 })
	store.Add(rows(10, known, "k")...)
	r.w.publishes(t, 20)

	away.Store(false)
	r.w.publishes(t, 220)
	var want []string
	for _, value := range values(200) {
		want = append(want, "\x00\x00\x00\x00\x07"+value)
	}
	if diff := cmp.Diff(want, consumeFirsts(t, k.Brokers, 200, unknown)); diff != "" {
		t.Errorf("first deliveries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(relay.Settled{Published: 220}, r.w.settled); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	r.w.until(t, "the topic goes on", func(w *watcher) bool { return w.status.PausedTopicCount == 0 })
}

// The reason of a paused topic says what to do.
func TestUnregisteredSchemaIsNamed(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(registry.Close)
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 1)
	sink, err := framing.New(kafkaSink(t, k.Brokers), framing.Config{Registry: registry.URL, Mode: framing.Header})
	if err != nil {
		t.Fatal(err)
	}
	store := relay.NewMemStore()
	r := start(t, relay.Config{Store: store, Sink: sink})
	store.Add(rows(1, topic, "k")...)
	r.w.until(t, "the topic pauses", func(w *watcher) bool { return w.status.PausedTopicCount == 1 })
	reason := fmt.Sprintf("%+v", r.Status())
	want := "the schema registry " + registry.URL + " has no subject " + topic + "-value; register the schema, for example with outboxgen register"
	if !strings.Contains(reason, want) {
		t.Errorf("the status does not say %q: %s", want, reason)
	}
}
