package pgstore

import "sync"

// jobs are goroutines and calls that can be waited for. Unlike with a sync.WaitGroup,
// more may start during Wait and after it: a caller that returns a session of a closed
// server still has to close it.
type jobs struct {
	mu      sync.Mutex
	running int
	none    chan struct{} // closed when running falls to 0; nil: no waiter
}

// begin counts a job, until end.
func (j *jobs) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running++
}

func (j *jobs) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running--
	if j.running == 0 && j.none != nil {
		close(j.none)
		j.none = nil
	}
}

// Go runs f in a goroutine.
func (j *jobs) Go(f func()) {
	j.begin()
	go func() {
		defer j.end()
		f()
	}()
}

// Wait waits until no job is under way.
func (j *jobs) Wait() {
	j.mu.Lock()
	if j.running == 0 {
		j.mu.Unlock()
		return
	}
	if j.none == nil {
		j.none = make(chan struct{})
	}
	none := j.none
	j.mu.Unlock()
	<-none
}
