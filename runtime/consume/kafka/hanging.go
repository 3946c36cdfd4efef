package kafka

import (
	"context"
	"slices"
	"time"
)

var processStart = time.Now()

// uptime is the time since the process started. It is never 0, and not changed by the system clock.
func uptime() time.Duration { return time.Since(processStart) + 1 }

// lookAtHandlers warns of handlers that do not return: their partitions wait, and nothing
// else tells so. Consumers stay in their group while a handler runs.
func (r *run) lookAtHandlers(ctx context.Context) {
	const text = "a handler has not returned; later events of its partition wait"
	r.mu.Lock()
	workers := slices.Clone(r.detached)
	for _, w := range r.workers {
		workers = append(workers, w)
	}
	r.mu.Unlock()
	hanging := map[subject]bool{}
	for _, w := range workers {
		about := subject{kind: kindHandler, topic: w.p.topic, partition: w.p.id}
		if t, took := w.longest(); took >= r.cfg.timing.hanging {
			hanging[about] = true
			record := t.m.Record()
			r.notices.report(ctx, about, w.p.id, false, text, nil, "offset", record.Offset, "event_type", record.EventType,
				"event_id", record.EventID, "running_for", took.Round(time.Millisecond))
		}
	}
	for _, about := range r.notices.lasting(kindHandler) {
		if !hanging[about] {
			r.notices.over(ctx, about, "the handler has returned, or lost its partition", "partition", about.partition)
		}
	}
}

// longest returns the task whose handler has run longest by now, and for how long.
func (w *worker) longest() (longest *task, took time.Duration) {
	now := uptime()
	for _, l := range w.lanes {
		t := l.current.Load()
		if t == nil {
			continue
		}
		if since := time.Duration(t.since.Load()); since > 0 && now-since > took {
			longest, took = t, now-since
		}
	}
	return longest, took
}
