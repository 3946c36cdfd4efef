// Package broker runs franz-go's fake Kafka, kfake, for tests, the demo and
// the benchmarks. Its brokers can go away and come back at the same addresses.
//
// [Start] runs one in this process. The runtime's module does not require kfake,
// which has no release yet; its tests have their fake Kafkas in a process that
// runs [Serve].
package broker

import "github.com/twmb/franz-go/pkg/kfake"

// Cluster is a fake Kafka. It keeps everything in memory, over Shut and Open too.
type Cluster struct {
	*kfake.Cluster
	// Brokers are the addresses to give to a client. They stay the same over Shut
	// and Open.
	Brokers []string

	gate *gate
}

// Start starts a fake Kafka in this process, with three brokers unless an option
// says otherwise. The caller closes it. Do not use kfake.Ports and
// kfake.ListenFn.
func Start(opts ...kfake.Opt) (*Cluster, error) {
	g := &gate{}
	opts = append([]kfake.Opt{kfake.NumBrokers(3)}, opts...)
	fake, err := kfake.NewCluster(append(opts, kfake.ListenFn(g.listen))...)
	if err != nil {
		return nil, err
	}
	return &Cluster{Cluster: fake, Brokers: fake.ListenAddrs(), gate: g}, nil
}

// Shut ends the brokers' listeners and connections.
func (c *Cluster) Shut() error { return c.gate.shut() }

// Open lets the brokers listen again after Shut.
func (c *Cluster) Open() error { return c.gate.open() }

// Close ends the cluster.
func (c *Cluster) Close() error {
	c.Cluster.Close()
	return nil
}
