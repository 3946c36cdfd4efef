package safelog

import (
	"context"
	"log/slog"
	"strings"
	"testing"
)

// broken panics in one of its methods.
type broken struct {
	slog.Handler
	in string
}

func (b broken) check(method string) {
	if b.in == method {
		panic("no " + method)
	}
}

func (b broken) Enabled(ctx context.Context, l slog.Level) bool {
	b.check("Enabled")
	return b.Handler.Enabled(ctx, l)
}

func (b broken) Handle(ctx context.Context, r slog.Record) error {
	b.check("Handle")
	return b.Handler.Handle(ctx, r)
}

func (b broken) WithAttrs(attrs []slog.Attr) slog.Handler {
	b.check("WithAttrs")
	return broken{b.Handler.WithAttrs(attrs), b.in}
}

func (b broken) WithGroup(name string) slog.Handler {
	b.check("WithGroup")
	return broken{b.Handler.WithGroup(name), b.in}
}

// If any method panics, the program continues, lines are written if possible, and the
// first panic is reported with its stack.
func TestAHandlerThatPanics(t *testing.T) {
	kept := stderr
	defer func() { stderr = kept }()
	for method, lines := range map[string]int{"": 2, "Enabled": 0, "Handle": 0, "WithAttrs": 2, "WithGroup": 2} {
		var log, reported strings.Builder
		stderr = &reported
		logger := New(New(slog.New(broken{slog.NewTextHandler(&log, nil), method}))).With("a", 1).WithGroup("g")
		logger.Info("one", "b", 2)
		logger.Info("two")
		if got := strings.Count(log.String(), "\n"); got != lines {
			t.Errorf("%q panics: %d lines, want %d:\n%s", method, got, lines, &log)
		}
		want := 1
		if method == "" {
			want = 0
		}
		report := reported.String()
		if strings.Count(report, "\n") != want || want == 1 && !(strings.Contains(report, "no "+method) && strings.Contains(report, "safelog_test.go")) {
			t.Errorf("%q panics: reported is\n%s", method, report)
		}
	}
}
