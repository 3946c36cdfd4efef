package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
)

// keptWarnings is a log that keeps warnings.
type keptWarnings struct{ kept []keptWarning }

type keptWarning struct{ text, remedy string }

// see returns the incident of the runbook that the warning belongs to; "": none.
func (w keptWarning) see() runbook.Incident {
	if strings.HasPrefix(w.text, "two servers accept writes") {
		return runbook.PrimaryFailedOver
	}
	return ""
}

// Enabled implements slog.Handler.
func (k *keptWarnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (k *keptWarnings) Handle(_ context.Context, r slog.Record) error {
	w := keptWarning{text: r.Message}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "store":
		case "remedy":
			w.remedy = a.Value.String()
		default:
			w.text += fmt.Sprintf("; %s: %s", a.Key, a.Value)
		}
		return true
	})
	k.kept = append(k.kept, w)
	return nil
}

// WithAttrs implements slog.Handler. What the attributes say is known.
func (k *keptWarnings) WithAttrs([]slog.Attr) slog.Handler { return k }

// WithGroup implements slog.Handler.
func (k *keptWarnings) WithGroup(string) slog.Handler { return k }
