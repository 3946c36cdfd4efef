package kafka

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Consumer reads the topics of a group. Create one with [New]. Any goroutine may call
// its methods.
type Consumer struct {
	cfg   Config
	stats stats

	mu      sync.Mutex
	running *run
	ended   error // why the last Run ended; nil: its context ended
	runs    int
}

// New returns a consumer that is not running yet. It does not connect. The error names
// every invalid field of the configuration.
func New(cfg Config) (*Consumer, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Consumer{cfg: cfg}, nil
}

// Run creates a [Consumer] and runs it; see [Consumer.Run].
func Run(ctx context.Context, cfg Config) error {
	c, err := New(cfg)
	if err != nil {
		return err
	}
	return c.Run(ctx)
}

// Run reads records and handles them until ctx ends or an error stops it. If ctx ends
// it returns nil: running handlers have finished, the offsets of handled records are
// committed, and the consumer has left the group. Otherwise it returns the error of the
// record that could not be handled (a *consume.HandlerError, *consume.DecodeError or
// *consume.UnknownTypeError), a *[LostRecordsError] under Config.OnLoss, or a
// *[NotReadyError] under Config.StopWhenUnready.
//
// Run may be called again after it has returned, but not while it runs.
func (c *Consumer) Run(ctx context.Context) error {
	r, err := c.begin()
	if err != nil {
		return err
	}
	err = r.all(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running, c.ended = nil, err
	return err
}

var errRunning = errors.New("consume/kafka: Run was called while the consumer runs: make a second consumer with New")

var errNoHandlers = errors.New("consume/kafka: Config.Router has no handlers, so that every record would be skipped for good: " +
	"register the handlers, with the On… functions of the generated package, before Run")

func (c *Consumer) begin() (*run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running != nil {
		return nil, errRunning
	}
	if router, ok := c.cfg.Router.(interface{ Empty() bool }); ok && router.Empty() {
		return nil, errNoHandlers
	}
	if err := checkWrapper(c.cfg.Router); err != nil { // handlers may be registered after New
		return nil, err
	}
	r, err := newRun(c.cfg, &c.stats)
	if err != nil {
		return nil, err
	}
	c.runs++
	c.running = r
	return r, nil
}

// Ready returns nil if the consumer is a member of its group and can read all of its
// topics. Otherwise it returns a *[NotReadyError] with every reason: a topic that does
// not exist or cannot be read, a group that it cannot join, brokers that do not answer.
// It makes no network call, so a readiness probe can call it.
//
// A member without partitions is ready, because a group can have more members than
// partitions. A member whose handlers fail is ready too, because another member would
// fail as well.
func (c *Consumer) Ready() error {
	c.mu.Lock()
	r, runs, ended := c.running, c.runs, c.ended
	c.mu.Unlock()
	switch {
	case r != nil:
		if err := r.ready(); err != nil {
			return err
		}
		return nil
	case runs == 0:
		return &NotReadyError{Group: c.cfg.Group, Reasons: []string{"Run was not called yet"}}
	case ended != nil:
		return &NotReadyError{Group: c.cfg.Group, Reasons: []string{"Run has ended: " + ended.Error()}}
	}
	return &NotReadyError{Group: c.cfg.Group, Reasons: []string{"Run has ended because its context ended"}}
}

// Stats are counts since New, and the current numbers of records in memory.
type Stats struct {
	Handled      uint64 // records whose handler succeeded, or that the router skipped
	Failed       uint64 // attempts that failed, panics included
	Panics       uint64 // panics of handlers, decoders and DeadLetter, and handlers that ended their goroutine
	Skipped      uint64 // records skipped after their last attempt (GiveUp: Skip)
	Delayed      uint64 // records that are stored in a retry topic
	DeadLettered uint64 // records that the dead-letter topic or DeadLetter stored
	LostRecords  uint64 // offsets that were removed from the log before they were read
	Polls        uint64 // polls of the client
	FetchErrors  uint64 // errors in these polls

	// BufferedRecords and BufferedBytes are the records in memory that are not handled:
	// fetched by the client, or waiting for a handler. Bytes are counted as in
	// Config.BufferBytes.
	BufferedRecords, BufferedBytes int64
}

type stats struct {
	handled, failed, panics, skipped, delayed, deadLettered, lost, polls, fetchErrors atomic.Uint64
}

// Stats returns the current counts.
func (c *Consumer) Stats() Stats {
	c.mu.Lock()
	r := c.running
	c.mu.Unlock()
	return c.stats.read(r)
}

// read returns the counts, and what the run holds; r may be nil.
func (s *stats) read(r *run) Stats {
	now := Stats{
		Handled: s.handled.Load(), Failed: s.failed.Load(), Panics: s.panics.Load(),
		Skipped: s.skipped.Load(), Delayed: s.delayed.Load(), DeadLettered: s.deadLettered.Load(), LostRecords: s.lost.Load(),
		Polls: s.polls.Load(), FetchErrors: s.fetchErrors.Load(),
	}
	if r != nil {
		now.BufferedRecords, now.BufferedBytes = r.buffered()
	}
	return now
}

// timing has the times that users cannot set; tests change them.
type timing struct {
	watch        time.Duration // between two checks of the cluster
	answer       time.Duration // limit for one check
	joining      time.Duration // how long joining the group may take before a warning
	coordinator  time.Duration // how long before the group's coordinator is asked for
	idle         time.Duration // how long a member may be without partitions before a warning
	abandon      time.Duration // how long handlers may take after their context was cancelled
	hanging      time.Duration // how long a handler may run before a warning
	crowded      time.Duration // how long nothing may be fetched for want of room before it is worth a warning
	repeatMin    time.Duration // between the first and the second log line about a problem; it doubles
	repeatMax    time.Duration
	failMin      time.Duration // how long a partition pauses after its fetch failed; it doubles
	failMax      time.Duration
	settle       time.Duration // how long after such a pause the partition counts as working
	brake        time.Duration // longest pause between polls that return only errors
	readoptAgain time.Duration // between two tries to read a recreated topic; it doubles
}

func (t timing) withDefaults() timing {
	return timing{
		watch:        cmp.Or(t.watch, 10*time.Second),
		answer:       cmp.Or(t.answer, 15*time.Second),
		joining:      cmp.Or(t.joining, 30*time.Second),
		coordinator:  cmp.Or(t.coordinator, 2*time.Second),
		idle:         cmp.Or(t.idle, 3*time.Second),
		abandon:      cmp.Or(t.abandon, 5*time.Second),
		hanging:      cmp.Or(t.hanging, time.Minute),
		crowded:      cmp.Or(t.crowded, time.Minute),
		repeatMin:    cmp.Or(t.repeatMin, time.Minute),
		repeatMax:    cmp.Or(t.repeatMax, 15*time.Minute),
		failMin:      cmp.Or(t.failMin, 250*time.Millisecond),
		failMax:      cmp.Or(t.failMax, 30*time.Second),
		settle:       cmp.Or(t.settle, 10*time.Second),
		brake:        cmp.Or(t.brake, time.Second),
		readoptAgain: cmp.Or(t.readoptAgain, 2*time.Second),
	}
}
