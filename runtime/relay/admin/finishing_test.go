package admin

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A batch of a purge may finish after Ctrl-C, but it does not wait for ever for a server that
// is gone.
func TestFinishing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		late, cancel := finishing(ctx, time.Minute)
		time.Sleep(time.Hour)
		end()
		ended := time.Now()
		synctest.Wait()
		if late.Err() != nil {
			t.Error("the batch may not finish")
		}
		<-late.Done()
		if took := time.Since(ended); took != time.Minute {
			t.Errorf("the batch ended after %s", took)
		}
		cancel()

		ctx, end = context.WithCancel(t.Context())
		late, cancel = finishing(ctx, time.Minute)
		end()
		cancel() // a batch that is done leaves no goroutine
		if late.Err() == nil {
			t.Error("the context of a batch that is done has not ended")
		}
	})
}
