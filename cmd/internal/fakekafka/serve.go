package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services/fakeproto"
)

// fake runs clusters for one process of tests. Its exported methods are those that
// package fakeproto lists.
type fake struct {
	asked chan fakeproto.Call
	ended chan struct{} // closed when the input has ended

	mu       sync.Mutex // guards what follows
	clusters map[int64]*cluster
	faults   map[int64]*kfake.FaultHandle
	calls    map[int64]chan []byte // wait for an Answer
	last     int64                 // the number of the last call
}

func newFake() *fake {
	return &fake{
		asked: make(chan fakeproto.Call), ended: make(chan struct{}),
		clusters: map[int64]*cluster{}, faults: map[int64]*kfake.FaultHandle{}, calls: map[int64]chan []byte{},
	}
}

// on does something to the cluster with the number.
func (f *fake) on(number int64, do func(*cluster) error) error {
	f.mu.Lock()
	c := f.clusters[number]
	f.mu.Unlock()
	if c == nil {
		return fmt.Errorf("fakekafka: there is no cluster %d", number)
	}
	return do(c)
}

func (f *fake) Start(r fakeproto.Cluster, _ *int) error {
	c, err := start(r.Ports, r.Topics)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clusters[r.Number] = c
	return nil
}

func (f *fake) Open(number int64, _ *int) error { return f.on(number, (*cluster).open) }

func (f *fake) Shut(number int64, _ *int) error { return f.on(number, (*cluster).shut) }

func (f *fake) Close(number int64, _ *int) error {
	return f.on(number, func(c *cluster) error {
		f.mu.Lock()
		delete(f.clusters, number)
		f.mu.Unlock()
		return c.close()
	})
}

func (f *fake) Break(r fakeproto.Fault, _ *int) error {
	return f.on(r.Cluster, func(c *cluster) error {
		fault := c.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Key(r.Key)}, Topic: r.Topic, Partitions: r.Partitions,
			Err: kerr.TypedErrorForCode(r.Code), Count: r.Count,
		})
		f.mu.Lock()
		defer f.mu.Unlock()
		f.faults[r.Number] = fault
		return nil
	})
}

func (f *fake) Repair(number int64, _ *int) error { //nolint:unparam // net/rpc asks for an error
	f.mu.Lock()
	fault := f.faults[number]
	f.mu.Unlock()
	if fault != nil {
		fault.Remove()
	}
	return nil
}

func (f *fake) Control(r fakeproto.Control, _ *int) error {
	return f.on(r.Cluster, func(c *cluster) error {
		c.ControlKey(r.Key, func(request kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			body := f.ask(fakeproto.Call{Control: r, Version: request.GetVersion(), Body: request.AppendTo(nil)})
			if len(body) == 0 {
				return nil, nil, false
			}
			response := request.ResponseKind()
			if err := response.ReadFrom(body); err != nil {
				return nil, fmt.Errorf("fakekafka: read the test's answer: %w", err), true
			}
			return response, nil, true
		})
		return nil
	})
}

// ask makes a call and waits for its answer.
func (f *fake) ask(call fakeproto.Call) []byte {
	answer := make(chan []byte, 1)
	f.mu.Lock()
	f.last++
	call.Number = f.last
	f.calls[call.Number] = answer
	f.mu.Unlock()
	select {
	case f.asked <- call:
	case <-f.ended:
		return nil
	}
	select {
	case body := <-answer:
		return body
	case <-f.ended:
		return nil
	}
}

func (f *fake) Next(_ int64, call *fakeproto.Call) error {
	select {
	case *call = <-f.asked:
		return nil
	case <-f.ended:
		return errors.New("fakekafka: the input has ended")
	}
}

func (f *fake) Answer(a fakeproto.Answer, _ *int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer := f.calls[a.Number]; answer != nil {
		answer <- a.Response
	}
	delete(f.calls, a.Number)
	return nil
}
