package redisinbox_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/internal/redistest"
)

// The keys of a consumer's events are distributed over a cluster.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	client := startCluster(t, 3)
	in := newInbox(t, client, redisinbox.Options{})
	runs := 0
	handle := in.Once(func(context.Context, consume.Message) error {
		runs++
		if runs%4 == 0 {
			return errNo
		}
		return nil
	})
	const events = 60
	for range events {
		m := message(uuid.New())
		for range 3 {
			if err := handle(testContext(t), m); err != nil && err != errNo { //nolint:errorlint // it is returned as it is
				t.Fatal(err)
			}
		}
	}
	if want := events * 4 / 3; runs < want-1 || runs > want { // every fourth run fails, and is repeated
		t.Errorf("%d runs of %d events, want %d", runs, events, want)
	}
}

// startCluster starts a cluster of n masters.
func startCluster(t *testing.T, n int) rueidis.Client {
	t.Helper()
	client := connect(t, redistest.Cluster(t, n)[0].Addr)
	if mode := client.Mode(); mode != rueidis.ClientModeCluster {
		t.Fatalf("the client's mode is %v", mode)
	}
	return client
}
