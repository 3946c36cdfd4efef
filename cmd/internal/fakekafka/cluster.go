package main

import (
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
)

// cluster is a fake Kafka. It keeps everything in memory, also while it is shut. Each
// broker is behind a proxy, so that it can go away and come back at the same address.
type cluster struct {
	*kfake.Cluster
	gates []*proxy.Proxy
}

// start starts a cluster with one broker for each port.
func start(ports []int, topics map[string]int32) (_ *cluster, err error) {
	c := &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.each((*proxy.Proxy).Close))
		}
	}()
	opts := []kfake.Opt{kfake.Ports(ports...), kfake.ListenFn(c.listen)}
	for topic, partitions := range topics {
		opts = append(opts, kfake.SeedTopics(partitions, topic))
	}
	c.Cluster, err = kfake.NewCluster(opts...)
	return c, err
}

// listen listens for a broker, and for its clients at the address.
func (c *cluster) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	gate, err := proxy.Listen(network, address, network, inner.Addr().String())
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	c.gates = append(c.gates, gate)
	advertised, err := net.ResolveTCPAddr(network, address)
	return behind{inner, advertised}, err
}

// behind is a listener behind a proxy, whose address it has.
type behind struct {
	net.Listener
	address net.Addr
}

func (b behind) Addr() net.Addr { return b.address }

func (c *cluster) each(do func(*proxy.Proxy) error) error {
	var errs []error
	for _, gate := range c.gates {
		errs = append(errs, do(gate))
	}
	return errors.Join(errs...)
}

func (c *cluster) shut() error {
	return c.each(func(gate *proxy.Proxy) error {
		defer gate.Cut()
		return gate.Down()
	})
}

func (c *cluster) open() error { return c.each((*proxy.Proxy).Up) }

func (c *cluster) close() error {
	c.Cluster.Close()
	return c.each((*proxy.Proxy).Close)
}
