package secret

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
)

// Handler returns a handler that removes the secrets from messages and attribute values
// and passes them to h.
func (r *Redactor) Handler(h slog.Handler) slog.Handler { return handler{h, r} }

type handler struct {
	slog.Handler
	redactor *Redactor
}

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	clean := slog.NewRecord(record.Time, record.Level, h.redactor.Text(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redactor.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.redactor.attr(a)
	}
	return handler{h.Handler.WithAttrs(clean), h.redactor}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.redactor}
}

func (r *Redactor) attr(a slog.Attr) slog.Attr {
	a.Value = r.value(a.Value.Resolve())
	return a
}

func (r *Redactor) value(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(r.Text(v.String()))
	case slog.KindGroup:
		group := v.Group()
		clean := make([]slog.Attr, len(group))
		for i, a := range group {
			clean[i] = r.attr(a)
		}
		return slog.GroupValue(clean...)
	case slog.KindAny:
		return r.whole(v)
	}
	return v // a number, a time: no secret
}

// whole returns the value, as text if it contains a secret.
func (r *Redactor) whole(v slog.Value) slog.Value {
	if err, ok := v.Any().(error); ok {
		return slog.StringValue(r.Text(err.Error()))
	}
	text := fmt.Sprint(v.Any())
	if clean := r.Text(text); clean != text {
		return slog.StringValue(clean)
	}
	if inJSON, err := json.Marshal(v.Any()); err == nil && r.Text(string(inJSON)) != string(inJSON) {
		return slog.StringValue(Hidden)
	}
	return v
}
