package framing

import (
	"context"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// New wraps a sink. The returned sink adds schema ids to records. New checks the
// configuration and does not connect.
func New(sink relay.Sink, cfg Config) (relay.Sink, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &framed{Sink: sink, ids: &ids{cfg: cfg, now: time.Now, known: map[string]*subject{}}}, nil
}

type framed struct {
	relay.Sink

	ids *ids
}

// Open implements relay.Sink.
func (s *framed) Open(ctx context.Context) (relay.Producer, error) {
	inner, err := s.Sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &producer{Producer: inner, ids: s.ids, requests: newRequests()}, nil
}

type producer struct {
	relay.Producer

	ids      *ids
	requests *requests
}

// Close implements relay.Producer.
func (p *producer) Close() {
	p.requests.end()
	p.Producer.Close()
}

// A record of the relay takes at least smallestRecord bytes in its estimate of a batch,
// and the header adds at most headerSize to it. The prefix fits into the reserve that the
// estimate has for each record.
const (
	smallestRecord = 100
	headerSize     = 50
)

// Topics implements relay.Producer. With [Header] the limit of a batch leaves room for
// the header, because the relay does not know of it. A record that is alone in its
// batch is sent whatever its size.
func (p *producer) Topics(ctx context.Context, names []string) ([]relay.TopicInfo, error) {
	infos, err := p.Producer.Topics(ctx, names)
	if p.ids.cfg.Mode == Header {
		for i := range infos {
			infos[i].MaxBatchBytes = infos[i].MaxBatchBytes / (smallestRecord + headerSize) * smallestRecord
		}
	}
	return infos, err
}

// Send implements relay.Producer. From the first record of a partition whose schema id
// is not known, nothing is sent to this partition.
func (p *producer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	subjects := p.request(ctx, wave)
	if ctx.Err() != nil { // while it waited for ids; the relay may lead no longer
		err := fmt.Errorf("nothing was sent: the wave ended while its schema ids were looked up: %w", ctx.Err())
		for i := range results {
			results[i] = relay.Result{Class: relay.ClassRelay, Err: err}
		}
		return
	}
	type place struct {
		topic     string
		partition int32
	}
	var failed map[place]error
	send := make([]relay.Record, 0, len(wave))
	from := make([]int, 0, len(wave)) // the place of each record in wave
	for i, r := range wave {
		at := place{r.Topic, r.Partition}
		err := failed[at]
		if err == nil {
			var id schemaID
			if r.Value != nil { // a tombstone has no schema
				id, err = p.ids.get(subjects[i])
			}
			if err == nil {
				send, from = append(send, p.frame(r, id)), append(from, i)
				continue
			}
			if failed == nil {
				failed = map[place]error{}
			}
			failed[at] = err
		}
		results[i] = relay.Result{Class: relay.ClassTopic, Err: err}
	}
	if len(send) == 0 {
		return
	}
	if len(send) == len(wave) {
		p.Producer.Send(ctx, send, results)
		return
	}
	sent := make([]relay.Result, len(send))
	p.Producer.Send(ctx, send, sent)
	for i, result := range sent {
		results[from[i]] = result
	}
}

// request requests the ids of a wave, and waits a little for new ones, at most a quarter
// of the wave's time. It returns the subject of each record.
func (p *producer) request(ctx context.Context, wave []relay.Record) []string {
	type event struct{ topic, eventType string }
	byEvent := map[event]string{}
	subjects := make([]string, len(wave))
	var pending []<-chan struct{}
	var longest time.Duration
	for i, r := range wave {
		if r.Value == nil {
			continue
		}
		e := event{r.Topic, r.EventType}
		name, ok := byEvent[e]
		if !ok {
			name = p.ids.cfg.subject(r.Topic, r.EventType)
			byEvent[e] = name
			if answered, wait := p.ids.want(p.requests, name); answered != nil {
				pending, longest = append(pending, answered), max(longest, wait)
			}
		}
		subjects[i] = name
	}
	if len(pending) == 0 {
		return subjects
	}
	if end, ok := ctx.Deadline(); ok {
		longest = min(longest, time.Until(end)/4)
	}
	limit := time.NewTimer(longest)
	defer limit.Stop()
	for _, answered := range pending {
		select {
		case <-answered:
		case <-limit.C:
			return subjects
		case <-ctx.Done():
			return subjects
		}
	}
	return subjects
}
