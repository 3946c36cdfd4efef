package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services/fakeproto"
)

// server runs clusters for one process of tests.
type server struct {
	mu       sync.Mutex // guards what follows
	out      *json.Encoder
	clusters map[int64]*cluster
	faults   map[int64]*kfake.FaultHandle
	calls    map[int64]chan []byte // wait for an Answer
	last     int64                 // the number of the last call

	ended chan struct{} // closed when calls are no longer answered
}

// serve runs the fake Kafkas that the requests on in ask for, until in ends.
func serve(in io.Reader, out io.Writer) error {
	s := &server{
		clusters: map[int64]*cluster{}, faults: map[int64]*kfake.FaultHandle{},
		out: json.NewEncoder(out), calls: map[int64]chan []byte{}, ended: make(chan struct{}),
	}
	var working sync.WaitGroup
	defer func() {
		close(s.ended)
		working.Wait()
		for _, c := range s.clusters {
			_ = c.close() // the process ends
		}
	}()
	requests := json.NewDecoder(in)
	for {
		var r fakeproto.Request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("fakekafka: read a request: %w", err)
		}
		if r.Do == fakeproto.Answer {
			s.answer(r)
			continue
		}
		// A cluster that waits for an Answer does nothing else, so the loop must not
		// wait for the cluster.
		working.Go(func() {
			reply := fakeproto.Reply{ID: r.ID}
			if err := s.do(r); err != nil {
				reply.Error = err.Error()
			}
			_ = s.write(reply) // this fails only when the reader is gone; then the input ends
		})
	}
}

func (s *server) write(r fakeproto.Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Encode(r)
}

func (s *server) do(r fakeproto.Request) error {
	if r.Do == fakeproto.Start {
		c, err := start(r.Ports, r.Topics)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.clusters[r.Cluster] = c
		return nil
	}
	s.mu.Lock()
	c, f := s.clusters[r.Cluster], s.faults[r.Fault.ID]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("fakekafka: there is no cluster %d", r.Cluster)
	}
	switch r.Do {
	case fakeproto.Open:
		return c.open()
	case fakeproto.Shut:
		return c.shut()
	case fakeproto.Close:
		s.mu.Lock()
		delete(s.clusters, r.Cluster)
		s.mu.Unlock()
		return c.close()
	case fakeproto.Break:
		f = c.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Key(r.Fault.Key)}, Topic: r.Fault.Topic, Partitions: r.Fault.Partitions,
			Err: kerr.TypedErrorForCode(r.Fault.Code), Count: r.Fault.Count,
		})
		s.mu.Lock()
		defer s.mu.Unlock()
		s.faults[r.Fault.ID] = f
		return nil
	case fakeproto.Repair:
		f.Remove()
		return nil
	case fakeproto.Control:
		s.control(c, r)
		return nil
	}
	return fmt.Errorf("fakekafka: unknown request %q", r.Do)
}

// control asks the test about each request of a kind.
func (s *server) control(c *cluster, r fakeproto.Request) {
	c.ControlKey(r.Key, func(request kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		body := s.ask(fakeproto.Call{Cluster: r.Cluster, Key: request.Key(), Version: request.GetVersion(), Body: request.AppendTo(nil)})
		if body == nil {
			return nil, nil, false
		}
		response := request.ResponseKind()
		if err := response.ReadFrom(body); err != nil {
			return nil, fmt.Errorf("fakekafka: read the test's answer: %w", err), true
		}
		return response, nil, true
	})
}

// ask makes a call and waits for its answer.
func (s *server) ask(call fakeproto.Call) []byte {
	answer := make(chan []byte, 1)
	s.mu.Lock()
	s.last++
	call.ID = s.last
	s.calls[call.ID] = answer
	err := s.out.Encode(fakeproto.Reply{Call: &call})
	s.mu.Unlock()
	if err != nil {
		return nil // the reader is gone
	}
	select {
	case body := <-answer:
		return body
	case <-s.ended:
		return nil
	}
}

func (s *server) answer(r fakeproto.Request) {
	s.mu.Lock()
	answer := s.calls[r.ID]
	delete(s.calls, r.ID)
	s.mu.Unlock()
	if answer != nil {
		answer <- r.Response
	}
}
