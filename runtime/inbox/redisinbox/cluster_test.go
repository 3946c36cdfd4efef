package redisinbox_test

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
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
	const slots = 16384
	program := services.Program(t, "redis", "redis-server")
	var nodes []rueidis.Client
	var ports []string
	for i := range n {
		port := freePort(t)
		dir := t.TempDir()
		server := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--cluster-port", freePort(t),
			"--cluster-enabled", "yes", "--cluster-config-file", dir+"/nodes.conf", "--dir", dir, "--save", "")
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = server.Process.Kill()
			_ = server.Wait() // it was killed
		})
		node := dial(t, port)
		first, last := i*slots/n, (i+1)*slots/n-1
		commands := []rueidis.Completed{
			node.B().ClusterAddslotsrange().StartSlotEndSlot().StartSlotEndSlot(int64(first), int64(last)).Build(),
			node.B().Arbitrary("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)).Build(),
		}
		for _, c := range commands {
			if err := node.Do(t.Context(), c).Error(); err != nil {
				t.Fatal(err)
			}
		}
		nodes, ports = append(nodes, node), append(ports, port)
		if i > 0 {
			info, err := nodes[0].Do(t.Context(), nodes[0].B().Arbitrary("CONFIG", "GET", "cluster-port").Build()).AsStrMap()
			if err != nil {
				t.Fatal(err)
			}
			meet := node.B().Arbitrary("CLUSTER", "MEET", "127.0.0.1", ports[0], info["cluster-port"]).Build()
			if err := node.Do(t.Context(), meet).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, node := range nodes {
		eventually(t, "the cluster is whole", func() bool {
			info, err := node.Do(t.Context(), node.B().Arbitrary("CLUSTER", "INFO").Build()).ToString()
			return err == nil && strings.Contains(info, "cluster_state:ok")
		})
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + ports[0]}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if mode := client.Mode(); mode != rueidis.ClientModeCluster {
		t.Fatalf("the client's mode is %v", mode)
	}
	return client
}

// dial connects to one node as to a single server.
func dial(t *testing.T, port string) rueidis.Client {
	t.Helper()
	var node rueidis.Client
	eventually(t, "the node answers", func() bool {
		var err error
		node, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:" + port}, ForceSingleClient: true})
		return err == nil
	})
	t.Cleanup(node.Close)
	return node
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ctx := testContext(t); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
