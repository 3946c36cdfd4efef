package relay

import (
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// flow takes each row from reading to its outcome: it is sent in a wave and settled, it
// waits, or it fails.
type flow struct {
	cfg *Config
	log *journal

	queue   queue
	waits   waits
	targets targets
	settler settler
	suspect suspect
	settled bool // rows were settled and no renewal has reported it yet
	moved   int  // rows that were settled in this term
}

func newFlow(cfg *Config, log *journal, lease Lease) *flow {
	f := &flow{cfg: cfg, log: log, queue: newQueue(cfg), settler: settler{cfg: cfg}}
	f.waits = waits{q: &f.queue, log: log, keys: newHeldKeys()}
	f.targets = targets{cfg: cfg, q: &f.queue, waits: &f.waits, log: log}
	f.suspect = newSuspect(lease, f.queue.waveRows())
	return f
}

// admit takes an entry into memory or skips it. src is the catch-up that read it, or
// nil.
func (f *flow) admit(e *entry, src *catchUp) {
	seq := e.row.Seq
	if f.queue.has(seq) {
		return
	}
	f.queue.met(seq)
	tp := f.queue.topics.get(e.row.Topic)
	f.targets.obey(tp) // it may be new
	if s := f.waits.blocker(e, tp, src); s != nil {
		s.skip(seq)
		return
	}
	if tp.invalid {
		f.fail(e, e.invalid)
		return
	}
	f.queue.add(e, tp)
}

// fail counts a failure of one row, which is not queued, and holds its key.
func (f *flow) fail(e *entry, err error) {
	attempt := e.row.RetryCount + 1
	dead := attempt >= f.cfg.MaxAttempts
	f.queue.forget(e.row.Seq)
	f.settler.failed(Failure{
		Seq: e.row.Seq, Err: shorten(err.Error()), RetryCount: attempt, Dead: dead,
		RetryIn: backoff.Pause(f.cfg.RetryMin, f.cfg.RetryMax, attempt),
	})
	f.sayFailed(e, attempt, dead, err)
	s := f.waits.hold(keyOf(e.row.Topic, e.row.Key, e.row.Seq))
	r := &heldRow{dead: dead, blocked: dead && e.row.Key != nil && f.cfg.policy(e.row.EventType) == Block}
	f.waits.holdRow(s, e.row.Seq, r)
	if !dead || r.blocked {
		s.skip(e.row.Seq)
	}
	s.skip(f.queue.dropKey(e))
}

func (f *flow) sayFailed(e *entry, attempt int, dead bool, err error) {
	level, what := slog.LevelWarn, "row failed, retrying; its key is held until the next attempt"
	if dead {
		level, what = slog.LevelError, "row dead-lettered: replay or discard it"
	}
	attrs := []slog.Attr{
		slog.Int64("seq", e.row.Seq), slog.String("event_id", e.row.ID.String()),
		slog.String("event_type", e.row.EventType), slog.String("topic", e.row.Topic),
		slog.Int("attempt", attempt), slog.Any("error", err),
	}
	for _, h := range e.headers {
		if h.Key == "trace_id" {
			attrs = append(attrs, slog.String("correlation_id", string(h.Value)))
		}
	}
	f.log.say(level, what, attrs...)
}

// settlement handles the result of a settlement. reading is true if a read is under
// way, which may still show the rows as they were before.
func (f *flow) settlement(now time.Duration, what Settlement, err error, reading bool) {
	if !f.settler.answered(now, what, err) {
		return
	}
	for _, seq := range what.Published {
		f.queue.forget(seq)
		if reading {
			f.queue.mayShow(seq)
		}
	}
	f.settled = f.settled || len(what.Published) > 0
	f.moved += len(what.Published) + len(what.Failed)
	for _, failed := range what.Failed {
		if failed.Dead && reading {
			f.queue.mayShow(failed.Seq)
		}
		f.suspect.failureSettled(failed.Seq)
		f.waits.failureSettled(now, failed, reading)
	}
}

// progress returns what the next renewal reports, and told handles its result.
func (f *flow) progress() Progress {
	return Progress{Settled: f.settled, Suspect: f.suspect.naming()}
}

func (f *flow) told(p Progress) {
	f.suspect.told(p.Suspect)
	if p.Settled {
		f.settled = false
	}
}

// maxErrorLength limits last_error, in bytes.
const maxErrorLength = 2_000

func shorten(s string) string {
	if len(s) <= maxErrorLength {
		return s
	}
	return s[:maxErrorLength] + "…"
}
