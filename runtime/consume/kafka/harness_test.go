package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// lines collects what a consumer logs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// like returns the lines whose message contains text, as attributes.
func (l *lines) like(t *testing.T, text string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var attrs map[string]any
		if err := json.Unmarshal([]byte(line), &attrs); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.Contains(attrs["msg"].(string), text) {
			found = append(found, attrs)
		}
	}
	return found
}

func (l *lines) count() int { return strings.Count(l.String(), "\n") }

// await waits until there is a line whose message contains text.
func (l *lines) await(t *testing.T, text string) map[string]any {
	t.Helper()
	var found []map[string]any
	await(t, "the log says "+text, func() bool {
		found = l.like(t, text)
		return len(found) > 0
	}, l)
	return found[0]
}

// await waits until a condition is true.
func await(t *testing.T, what string, is func() bool, log *lines) {
	t.Helper()
	deadline := time.After(patience)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("after %v it is not so: %s\n%s", patience, what, log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// launch runs a consumer; stop ends it and returns Run's error. Run's error comes
// by result, too.
func launch(t *testing.T, cfg kafka.Config) (c *kafka.Consumer, stop func() error, result <-chan error) {
	t.Helper()
	c, err := kafka.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	final := make(chan error, 1)
	go func() {
		err := c.Run(ctx)
		if _, unready := errors.AsType[*kafka.NotReadyError](err); err != nil && !unready {
			t.Logf("Run returns %v", err)
		}
		final <- err
		ended <- err
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return c, stop, final
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
