// Package redistest has what tests of several packages need of Redis.
package redistest

import (
	"context"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Node is a master of a cluster.
type Node struct {
	Addr   string
	Client rueidis.Client // for this node only
}

// Cluster starts a cluster of n masters, which share the slots evenly.
func Cluster(t testing.TB, n int) []Node {
	t.Helper()
	const slots = 16384
	program := services.Program(t, "redis", "redis-server")
	var nodes []Node
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
		node.Tell(t, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		node.Tell(t, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		nodes = append(nodes, node)
		if i > 0 {
			first := nodes[0]
			info, err := first.Client.Do(t.Context(), first.Client.B().Arbitrary("CONFIG", "GET", "port", "cluster-port").Build()).AsStrMap()
			if err != nil {
				t.Fatal(err)
			}
			node.Tell(t, "CLUSTER", "MEET", "127.0.0.1", info["port"], info["cluster-port"])
		}
	}
	for _, node := range nodes {
		eventually(t, "the cluster is whole", func() bool {
			info := node.Tell(t, "CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		})
	}
	return nodes
}

// Tell runs a command on the node and returns its answer, which must be a text.
func (n Node) Tell(t testing.TB, command ...string) string {
	t.Helper()
	text, err := n.Client.Do(t.Context(), n.Client.B().Arbitrary(command...).Build()).ToString()
	if err != nil {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
	return text
}

// dial connects to one node as to a single server.
func dial(t testing.TB, port string) Node {
	t.Helper()
	n := Node{Addr: "127.0.0.1:" + port}
	eventually(t, "the node answers", func() bool {
		var err error
		n.Client, err = rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{n.Addr}, ForceSingleClient: true})
		return err == nil
	})
	t.Cleanup(n.Client.Close)
	return n
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
