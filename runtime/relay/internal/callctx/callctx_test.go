package callctx_test

import (
	"context"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/callctx"
)

// A call goes on after its deadline. It ends with the term, with the store, when it is cancelled before the
// deadline, and after its own limit.
func TestWithoutDeadline(t *testing.T) {
	t.Parallel()
	const forEver = time.Hour
	for name, c := range map[string]struct {
		deadline, limit time.Duration
		end             func(term, call, store func())
	}{
		"the term ends after the deadline":          {time.Nanosecond, forEver, func(term, _, _ func()) { term() }},
		"the term ends before the deadline":         {forEver, forEver, func(term, _, _ func()) { term() }},
		"the call is cancelled before its deadline": {forEver, forEver, func(_, call, _ func()) { call() }},
		"the store is closed after the deadline":    {time.Nanosecond, forEver, func(_, _, store func()) { store() }},
		"the limit has passed, after the deadline":  {time.Nanosecond, time.Millisecond, func(_, _, _ func()) {}},
		"the limit has passed before the deadline":  {forEver, time.Millisecond, func(_, _, _ func()) {}},
	} {
		term, endTerm := context.WithCancel(t.Context())
		store, closeStore := context.WithCancel(t.Context())
		call, cancel := callctx.WithTimeout(term, c.deadline)
		limited, done := callctx.WithoutDeadline(call, c.limit, store)
		if c.deadline < c.limit {
			<-call.Done()
			if c.limit == forEver && limited.Err() != nil {
				t.Errorf("%s: the call ends at its deadline", name)
			}
		}
		c.end(endTerm, cancel, closeStore)
		select {
		case <-limited.Done():
		case <-time.After(10 * time.Second):
			t.Errorf("%s: the call goes on", name)
		}
		done()
		cancel()
		endTerm()
		closeStore()
	}
}
