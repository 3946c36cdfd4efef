package replay

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Config says what to replay, and how. History and Sink are required.
type Config struct {
	History History
	// Sink is where the records go. It needs a client of its own: do not share the one of
	// a relay.
	Sink relay.Sink
	// Selection selects the events. The zero value selects all.
	Selection Selection
	// After is the place after which to begin, as an earlier Run returned it. Default: the
	// beginning of the history.
	After Cursor
	// ID is the value of the header. Default: a new UUID.
	ID string
	// Rate is the maximum number of events per second. An event that is larger than 16 KiB
	// counts as one for each 16 KiB, or part of it. Default 500; -1: no limit.
	Rate int
	// NotCompacted says that topics whose settings Sink cannot read are not compacted.
	// Default: Run returns ErrMaybeCompacted for such a topic.
	NotCompacted bool
	// StripRouting is that of the relay (relay.Config).
	StripRouting bool
	// WaveTimeout limits one attempt to send a wave. Default 10 s.
	WaveTimeout time.Duration
	// Patience is how long Run tries again while nothing is acknowledged. Default 30 s.
	Patience time.Duration
	// Progress is called after each wave, and after each part of the history in which
	// nothing was selected. Default: none.
	Progress func(Result)
}

const (
	defaultRate     = 500
	defaultTimeout  = 10 * time.Second
	defaultPatience = 30 * time.Second
	// readTimeout limits one call of a History.
	readTimeout = time.Minute
)

// LongestID is the largest number of bytes of an id.
const LongestID = 255

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.History == nil:
		return c, errors.New("replay: Config.History is missing")
	case c.Sink == nil:
		return c, errors.New("replay: Config.Sink is missing")
	case len(c.ID) > LongestID:
		return c, fmt.Errorf("replay: Config.ID has %d bytes, at most %d are allowed", len(c.ID), LongestID)
	case c.Rate < -1:
		return c, fmt.Errorf("replay: Config.Rate is %d: use a number of events per second, or -1 for no limit", c.Rate)
	case c.WaveTimeout < 0 || c.Patience < 0:
		return c, errors.New("replay: Config.WaveTimeout and Config.Patience must not be negative")
	}
	if c.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return c, fmt.Errorf("replay: make an id: %w", err)
		}
		c.ID = id.String()
	}
	if c.Rate == 0 {
		c.Rate = defaultRate
	}
	if c.WaveTimeout == 0 {
		c.WaveTimeout = defaultTimeout
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Progress == nil {
		c.Progress = func(Result) {}
	}
	return c, nil
}

// Limits of waves and pages.
const (
	wavesPerSecond = 10
	mostWaveRows   = 1_000
	mostWaveBytes  = 4 << 20
	leastPageRows  = 100
	mostPageRows   = 5_000
	mostPageBytes  = 8 << 20
	// bytesPerEvent is the size up to which an event counts as one for the rate.
	bytesPerEvent = 16 << 10
)

// waveRows returns how many events a wave has at most: a tenth of those of a second.
func (c Config) waveRows() int {
	if c.Rate < 0 {
		return mostWaveRows
	}
	return min(max(1, c.Rate/wavesPerSecond), mostWaveRows)
}

// page returns the limit of what is in memory: about a second's events.
func (c Config) page() relay.Limit {
	rows := mostPageRows
	if c.Rate > 0 {
		rows = min(max(leastPageRows, c.Rate), mostPageRows)
	}
	return relay.Limit{Rows: rows, Bytes: mostPageBytes}
}
