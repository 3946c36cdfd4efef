package pgstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A result that no caller waited for is given to the next caller, unless it was a
// temporary failure: then the next caller tries again.
func TestWhatBecomesOfAnAnswerThatNobodyWaitedFor(t *testing.T) {
	t.Parallel()
	ofTheMoment := errors.New("connection reset")
	setup := &relay.SetupError{Problem: "no table"}
	standby := &relay.SetupError{Problem: "a standby", Transient: true}
	for name, c := range map[string]struct {
		answer error
		kept   bool
	}{
		"success":                      {nil, true},
		"needs an operator":            {setup, true},
		"needs an operator, transient": {standby, false},
		"failed for the moment":        {ofTheMoment, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e errand
			var work jobs
			gone, cancel := context.WithCancel(t.Context())
			goOn := make(chan struct{})
			err := e.run(gone, &work, func() error {
				cancel() // the caller's context ends while this runs
				<-goOn
				return c.answer
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the caller that gave up got %v", err)
			}
			close(goOn)
			work.Wait()
			again := errors.New("made again")
			want := again
			if c.kept {
				want = c.answer
			}
			if err := e.run(t.Context(), &work, func() error { return again }); !errors.Is(err, want) {
				t.Errorf("the next caller got %v, want %v", err, want)
			}
			if err := e.run(t.Context(), &work, func() error { return again }); !errors.Is(err, again) {
				t.Errorf("the one after that got %v, want %v", err, again)
			}
			work.Wait()
		})
	}
}

// All callers during a run share its result, a panic too.
func TestAnErrandIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var e errand
		var work jobs
		made := 0
		goOn := make(chan struct{})
		heard := make(chan any)
		const callers = 3
		for range callers {
			go func() {
				defer func() { heard <- recover() }()
				_ = e.run(t.Context(), &work, func() error {
					made++
					<-goOn
					panic("spilled")
				})
			}()
		}
		synctest.Wait()
		close(goOn)
		for range callers {
			if got := <-heard; got != "spilled" {
				t.Errorf("a caller got %v, want the panic", got)
			}
		}
		work.Wait()
		if made != 1 {
			t.Errorf("made %d times, want once for all", made)
		}
	})
}
