package pgstore

import "sync"

// jobs are goroutines and calls that are waited for. Unlike with a sync.WaitGroup,
// more may begin while somebody waits, and after that: whoever gives back a session of
// a server that was closed meanwhile still has it closed.
type jobs struct {
	mu      sync.Mutex
	running int
	none    chan struct{} // closed when running falls to 0; nil: nobody waits
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
