package relay

import "log/slog"

// journal collects log lines until the driver of the machine takes them.
type journal struct{ notes []note }

// note is one log line.
type note struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}

func (j *journal) say(level slog.Level, text string, attrs ...slog.Attr) {
	j.notes = append(j.notes, note{level, text, attrs})
}

func (j *journal) take() []note {
	notes := j.notes
	j.notes = nil
	return notes
}
