package relay

import "time"

// NewMemStore returns an outbox in memory for tests from outside.
func NewMemStore() *memStore {
	start := time.Now()
	return newMemStore(func() time.Duration { return time.Since(start) })
}

// FailSetup makes Check fail.
func (s *memStore) FailSetup(err error) { s.checkErr = err }

// MemStore is the type of NewMemStore's result.
type MemStore = memStore
