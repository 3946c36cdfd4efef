package kafka

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// brokers watches, as a hook of the client, how the brokers answer. The client does not
// report a broker that it cannot reach, nor fetches that fail as a whole; after some
// errors it asks again immediately.
type brokers struct {
	notices *notices

	mu      sync.Mutex
	waited  time.Duration // an answer to a fetch that took less did not wait for records
	dialErr error         // of the last connection that failed, since a request was answered
	state   map[int32]*brokerState
}

// brokerState counts the failures of a broker, each kind in a row.
type brokerState struct {
	unreached int // connections
	broken    int // fetches that ended in a connection error
	barren    int // fetches answered early and without records
}

const (
	brokerLimit = 3 // failures in a row before a warning

	// A broker waits for records before it answers without any, so an answer without
	// records that comes earlier is an error. A busy machine only makes it later.
	barrenLimit = 20 // such answers in a row before a warning
	barrenLow   = 10 * time.Millisecond
	barrenHigh  = 250 * time.Millisecond
)

func newBrokers(n *notices) *brokers {
	return &brokers{notices: n, state: map[int32]*brokerState{}}
}

// begin reads from the client how long it lets a broker wait for records.
func (b *brokers) begin(client *kgo.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait, ok := client.OptValue(kgo.FetchMaxWait).(time.Duration); ok {
		b.waited = wait / 2
	}
}

// of requires the lock.
func (b *brokers) of(id int32) *brokerState {
	s := b.state[id]
	if s == nil {
		s = &brokerState{}
		b.state[id] = s
	}
	return s
}

// whyNot returns the error of a request. If the request only timed out, it returns the
// error of the last connection.
func (b *brokers) whyNot(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dialErr != nil && errors.Is(err, context.DeadlineExceeded) {
		return b.dialErr
	}
	return err
}

// noneReached reports whether the last connections to so many addresses of
// Config.Brokers failed.
func (b *brokers) noneReached(addresses int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := 0
	for id, s := range b.state {
		if id < 0 && s.unreached > 0 {
			failed++
		}
	}
	return failed >= addresses
}

// answer records that a request was answered.
func (b *brokers) answer() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dialErr = nil
}

// OnBrokerConnect is a hook of the client.
func (b *brokers) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	b.mu.Lock()
	if err != nil {
		b.dialErr = err
	}
	s := b.of(meta.NodeID)
	switch s.unreached++; {
	case err == nil:
		s.unreached = 0
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded): // it took long enough
		s.unreached = max(s.unreached, brokerLimit)
	}
	unreached := s.unreached
	b.mu.Unlock()
	if meta.NodeID < 0 {
		return // an address of Config.Brokers; another one may answer
	}
	about := subject{kind: kindBroker, partition: meta.NodeID}
	switch {
	case err == nil:
		b.notices.over(context.Background(), about, "broker can be reached again", "broker", meta.NodeID)
	case unreached >= brokerLimit:
		hint := cmp.Or(connectionHint(err), "broker cannot be reached, retrying; if it runs, check the address that it advertises")
		b.report(about, meta, hint, err)
	}
}

func (b *brokers) report(about subject, meta kgo.BrokerMetadata, text string, err error) {
	b.notices.report(context.Background(), about, -1, true, text, err, "broker", meta.NodeID, "host", meta.Host, "port", meta.Port)
}

// OnFetchBatchRead is a hook of the client: records have arrived.
func (b *brokers) OnFetchBatchRead(meta kgo.BrokerMetadata, _ string, _ int32, _ kgo.FetchBatchMetrics) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.of(meta.NodeID).barren = 0
}

// OnBrokerE2E is a hook of the client. The goroutine that reads the answers of one
// connection calls it. Fetches have their own connections, so waiting here delays
// nothing else.
func (b *brokers) OnBrokerE2E(meta kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key != int16(kmsg.Fetch) || errors.Is(e2e.Err(), context.Canceled) {
		return
	}
	b.mu.Lock()
	s := b.of(meta.NodeID)
	switch s.broken++; {
	case e2e.Err() == nil:
		s.broken = 0
	case tooLarge(e2e.Err()): // it will be so again
		s.broken = max(s.broken, brokerLimit)
	}
	if s.barren++; e2e.Err() != nil || e2e.DurationE2E() >= b.waited {
		s.barren = 0
	}
	broken, barren := s.broken, s.barren-barrenLimit
	b.mu.Unlock()

	about := subject{kind: kindFetching, partition: meta.NodeID}
	switch {
	case broken >= brokerLimit:
		b.report(about, meta, answerHint(e2e.Err()), e2e.Err())
	case barren > 0:
		b.report(about, meta, "broker answers fetches immediately and without records, retrying; look at its log", nil)
		time.Sleep(backoff.Pause(barrenLow, barrenHigh, barren))
	case broken == 0 && barren == -barrenLimit:
		b.notices.over(context.Background(), about, "broker answers fetches again", "broker", meta.NodeID)
	}
}
