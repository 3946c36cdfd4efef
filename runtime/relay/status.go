package relay

import "time"

// Status is a snapshot of a relay.
type Status struct {
	// Leader is true while this instance leads the outbox.
	Leader bool
	// Epoch is the epoch of the current term, or the last one seen.
	Epoch int64
	// CaughtUp is true once a leader has read its whole backlog.
	CaughtUp bool
	// Queued, InFlight and Unsettled count rows in memory: read and waiting, in
	// the current wave, sent and not yet settled.
	Queued, InFlight, Unsettled int
	// HeldKeys counts the keys that wait for a row that failed.
	HeldKeys int
	// Held lists the first of them, at most 100.
	Held []HeldKey
	// PausedTopics lists the topics that cannot be written now.
	PausedTopics []Paused
	// SetAside lists the partitions that are set aside.
	SetAside []Paused
	// Reason says why nothing moves, in words; empty when rows are moving or
	// there are none.
	Reason string
	// Stats are the store's numbers, as of StatsAt (zero: not known yet).
	Stats   Stats
	StatsAt time.Time
}

// HeldKey is a key whose rows wait because an earlier one failed.
type HeldKey struct {
	Topic string
	Key   *string // nil: a row without a key, which holds up nothing but itself
	Seq   int64   // of the row that holds it
	// Blocked is true when the row is dead and its policy is to block: the key
	// waits for a replay or a discard. RetryIn is the pause until the next
	// attempt otherwise.
	Blocked bool
	RetryIn time.Duration
}

// Paused is a topic or partition that waits.
type Paused struct {
	Topic     string
	Partition int32 // -1: the topic as a whole
	Reason    string
	RetryIn   time.Duration
}
