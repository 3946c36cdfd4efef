package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Result is how far a replay got.
type Result struct {
	// ID is the value of the header.
	ID string
	// Sent is the number of events that were acknowledged.
	Sent int64
	// After is the place in the history up to which every selected event was
	// acknowledged.
	After Cursor
	// Ahead is the number of events after that place that were acknowledged too. Another
	// Run that continues there sends them again.
	Ahead int
	// At is the time of the last event up to After; zero: there is none yet.
	At time.Time
	// Missing is set if events of the selection may have been deleted before they were
	// read: some that were created up to this time. The history reached back only to there.
	Missing time.Time
	// Complete is true if nothing is left to send.
	Complete bool
}

// Run replays the events that cfg selects. With an error too, the Result says how far it
// got. If ctx ends, Run waits for the wave that is being sent, and returns the error of
// ctx.
func Run(ctx context.Context, cfg Config) (Result, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Result{After: cfg.After}, err
	}
	r := &run{cfg: cfg, result: Result{ID: cfg.ID, After: cfg.After}, topics: map[string]*topic{}}
	defer r.close()
	err = r.all(ctx)
	r.result.Complete = err == nil
	return r.result, err
}

// run is a replay while it runs. One goroutine uses it.
type run struct {
	cfg      Config
	result   Result
	producer relay.Producer // nil: not open
	topics   map[string]*topic
	ready    time.Time // the rate allows the next wave then
}

func (r *run) close() {
	if r.producer != nil {
		r.producer.Close()
		r.producer = nil
	}
}

// all reads the history page by page and sends each page.
func (r *run) all(ctx context.Context) error {
	for {
		page, err := r.read(ctx)
		if err != nil {
			return err
		}
		if err := r.send(ctx, page.Events); err != nil {
			return err
		}
		r.result.After = page.After
		if len(page.Events) == 0 {
			r.cfg.Progress(r.result)
		}
		if page.End {
			return nil
		}
		if len(page.Events) == 0 { // the rate limits only events, and others use the database too
			if err := rest(ctx, time.Now().Add(emptyPause)); err != nil {
				return err
			}
		}
	}
}

func (r *run) read(ctx context.Context) (Page, error) {
	if ctx.Err() != nil { // a History need not look
		return Page{}, ctx.Err()
	}
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	page, err := r.cfg.History.Read(reading, r.cfg.Selection, r.result.After, r.cfg.page())
	var reach Reach
	if err == nil { // what is deleted after the page was read is not missing in it
		reach, err = r.cfg.History.Reach(reading, r.result.After)
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Page{}, ctx.Err()
	default:
		return Page{}, fmt.Errorf("read the history: %w", err)
	}
	if reach.Lacks(r.cfg.Selection) {
		r.result.Missing = reach.Back
	}
	return page, nil
}

// send sends the events of a page in waves.
func (r *run) send(ctx context.Context, events []Event) error {
	rows := make([]relay.Row, len(events))
	for i := range events {
		rows[i] = events[i].Row
	}
	records := relay.OutgoingOf(rows, r.cfg.StripRouting)
	for len(records) > 0 {
		w, err := r.wave(ctx, events, records)
		if err != nil {
			return err
		}
		if err := r.pace(ctx, w); err != nil {
			return err
		}
		if err := r.deliver(ctx, w); err != nil {
			r.account(w)
			return err
		}
		r.account(w)
		r.cfg.Progress(r.result)
		events, records = events[len(w.records):], records[len(w.records):]
	}
	return nil
}

// pace waits until the rate allows a wave. A delay is not made up for later.
func (r *run) pace(ctx context.Context, w *wave) error {
	if err := rest(ctx, r.ready); err != nil {
		return err
	}
	if r.cfg.Rate > 0 {
		from := r.ready
		if now := time.Now(); now.Sub(from) > time.Second/wavesPerSecond { // a timer that fired a little late does not lower the rate
			from = now
		}
		r.ready = from.Add(time.Duration(w.cost) * time.Second / time.Duration(r.cfg.Rate))
	}
	return nil
}

// emptyPause follows a page without events.
const emptyPause = 20 * time.Millisecond

// rest waits until a time. It returns an error if ctx has ended.
func rest(ctx context.Context, until time.Time) error {
	if wait := time.Until(until); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// account counts what was acknowledged of a wave.
func (r *run) account(w *wave) {
	prefix := true
	for i, done := range w.done {
		prefix = prefix && done
		switch {
		case prefix:
			r.result.After, r.result.At = w.events[i].At, w.events[i].CreatedAt
			r.result.Sent++
		case done:
			r.result.Ahead++
			r.result.Sent++
		}
	}
}

// EventError is the error of an event that cannot be replayed, whenever it is tried. All
// events before it were acknowledged: Result.After is the place before it, and Event.At
// the one after it, for a Run that leaves it out.
type EventError struct {
	Event Event
	Topic string // to which it should be sent
	Err   error
}

// Error names the event.
func (e *EventError) Error() string {
	return fmt.Sprintf("event %s of type %s cannot be sent to topic %s: %v", e.Event.ID, e.Event.EventType, e.Topic, e.Err)
}

// Unwrap returns the cause.
func (e *EventError) Unwrap() error { return e.Err }

// TopicError is the error of a topic that cannot be written.
type TopicError struct {
	Topic string
	Err   error
}

// Error names the topic.
func (e *TopicError) Error() string { return fmt.Sprintf("topic %s: %v", e.Topic, e.Err) }

// Unwrap returns the cause.
func (e *TopicError) Unwrap() error { return e.Err }

// ErrCompacted is the cause of a TopicError: the replay would write old records into the
// events' own topic, which keeps only the last record of each key.
var ErrCompacted = errors.New("the topic is compacted, so that an old record would replace the newer ones of its key; replay to another topic")

// ErrMaybeCompacted is the cause of a TopicError: ErrCompacted may hold, because the
// topic's settings cannot be read. Grant DESCRIBE_CONFIGS on the topic, replay to another
// one, or set Config.NotCompacted.
var ErrMaybeCompacted = errors.New("its settings cannot be read, and if it is compacted, an old record would replace the newer ones of its key")
