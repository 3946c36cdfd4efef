package relay

import "log/slog"

// journal collects log lines until the driver of the machine takes them.
type journal struct{ lines []logLine }

// logLine is one log line.
type logLine struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}

func (j *journal) say(level slog.Level, text string, attrs ...slog.Attr) {
	j.lines = append(j.lines, logLine{level, text, attrs})
}

func (j *journal) take() []logLine {
	lines := j.lines
	j.lines = nil
	return lines
}
