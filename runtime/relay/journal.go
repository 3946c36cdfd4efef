package relay

import (
	"log/slog"
	"time"
)

// journal collects log lines until the driver of the machine takes them.
type journal struct {
	lines    []logLine
	troubles complaints
}

// logLine is one log line.
type logLine struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}

func (j *journal) say(level slog.Level, text string, attrs ...slog.Attr) {
	j.lines = append(j.lines, logLine{level, text, attrs})
}

// trouble logs a warning about something that may come and go, with a count, unless one
// with the same name was logged lately. It reports whether it did.
func (j *journal) trouble(now time.Duration, name, text string, attrs ...slog.Attr) bool {
	if j.troubles == nil {
		j.troubles = complaints{}
	}
	failures, say := j.troubles.of(now, name).due(now, false)
	if !say {
		return false
	}
	if failures > 1 {
		attrs = append(attrs, slog.Int("failures", failures))
	}
	j.say(slog.LevelWarn, text, attrs...)
	return true
}

// recovered logs the end of a trouble, if one of that name was logged.
func (j *journal) recovered(now time.Duration, name, text string, attrs ...slog.Attr) {
	if failed, say := j.troubles.worked(now, name); say {
		j.say(slog.LevelInfo, text, append(attrs, after(failed))...)
	}
}

// after says how long something did not work.
func after(failed time.Duration) slog.Attr {
	return slog.Duration("after", failed.Round(time.Millisecond))
}

func (j *journal) take() []logLine {
	lines := j.lines
	j.lines = nil
	return lines
}
