package wake_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/internal/redistest"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// In a cluster the relay waits at the node that has the list, whichever node it was told,
// also after the list's slot has moved to another node.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.Cluster(t, 2)
	log, options := logged()
	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{nodes[0].Addr}}, t.Name(), options)
	defer source.Close()
	connected(t, source)
	waker := wake.Redis(redisClient(t, nodes[0].Addr), t.Name())
	for range 3 {
		wakesTwice(t, waker, source)
	}

	slot, err := nodes[0].Client.Do(t.Context(), nodes[0].Client.B().ClusterKeyslot().Key(wake.RedisKey(t.Name())).Build()).AsInt64()
	if err != nil {
		t.Fatal(err)
	}
	to := nodes[0]
	if slot < 16384/2 {
		to = nodes[1]
	}
	id := to.Tell(t, "CLUSTER", "MYID")
	runUntil(t, source, log, noWakes, func() { // until the blocked command is refused
		for _, node := range []redistest.Node{to, nodes[0], nodes[1]} {
			node.Tell(t, "CLUSTER", "SETSLOT", strconv.FormatInt(slot, 10), "NODE", id)
		}
	})
	if got := log.String(); !strings.Contains(got, "MOVED") {
		t.Errorf("the slot moved, and the log does not say so:\n%s", got)
	}
	runUntil(t, source, log, again, func() { _ = waker.Wake(testContext(t)) })
}
