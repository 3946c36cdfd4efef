package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// topic is what a replay knows of the topic of some rows.
type topic struct {
	info relay.TopicInfo // its Name is where the records go
	turn int             // round robin for records without a key
}

// place is a partition that records go to.
type place struct {
	topic string
	part  int32
}

// wave is a run of events that is sent together, at most one batch for each partition.
type wave struct {
	events  []Event
	records []relay.Record
	places  []place
	done    []bool // acknowledged
	cost    int    // in events, for the rate
	// end is the first event that cannot be sent, and failure its error; the events after
	// it are not needed. It is behind the last event if all can be sent.
	end     int
	failure error
	// single has the partitions whose records are sent one by one, to find the one that
	// the brokers reject.
	single map[place]bool
}

// wave takes the next wave from the head of events.
func (r *run) wave(ctx context.Context, events []Event, records []relay.Outgoing) (*wave, error) {
	w := &wave{single: map[place]bool{}}
	sizes := map[place]int64{}
	var total int64
	for i := range records {
		out := &records[i]
		if out.Invalid != nil {
			if i > 0 {
				break // what is before it is sent first
			}
			return nil, &EventError{Event: events[i], Topic: events[i].Topic, Err: out.Invalid}
		}
		tp, err := r.describe(ctx, out.Record.Topic)
		if err != nil {
			if i > 0 {
				break
			}
			return nil, err
		}
		record := out.Record
		if !record.Chosen {
			record.Partition = r.partition(tp, record.Key)
		} else if int(record.Partition) >= tp.info.Partitions && !tp.info.Unchecked {
			if i > 0 {
				break
			}
			return nil, &EventError{Event: events[i], Topic: tp.info.Name, Err: fmt.Errorf(
				"the event names partition %d, and the topic has %d", record.Partition, tp.info.Partitions)}
		}
		at := place{tp.info.Name, record.Partition}
		size := out.Size + relay.HeaderOverhead + int64(len(Header)+len(r.cfg.ID))
		full := tp.info.MaxBatchBytes > 0 && sizes[at]+size > int64(tp.info.MaxBatchBytes)-relay.BatchOverhead
		cost := int((size + bytesPerEvent - 1) / bytesPerEvent)
		if sizes[at] > 0 && full || i > 0 && (total+size > mostWaveBytes || w.cost+cost > r.cfg.waveRows()) {
			break
		}
		if record.Key == nil && !record.Chosen {
			tp.turn++
		}
		sizes[at] += size
		total += size
		record.Headers = append(record.Headers[:len(record.Headers):len(record.Headers)], relay.Header{Key: Header, Value: []byte(r.cfg.ID)})
		w.records, w.places = append(w.records, record), append(w.places, at)
		w.cost += cost
	}
	w.events = events[:len(w.records)]
	w.done = make([]bool, len(w.records))
	w.end = len(w.records)
	return w, nil
}

func (r *run) partition(tp *topic, key []byte) int32 {
	if key != nil {
		return r.cfg.Sink.Partition(key, tp.info.Partitions)
	}
	return int32(tp.turn % tp.info.Partitions) // a partition count is an int32 in Kafka
}

// describe returns what is known of a topic, and asks for it the first time. A topic that
// does not exist, or that must not be written, is an error at once.
func (r *run) describe(ctx context.Context, name string) (*topic, error) {
	if tp := r.topics[name]; tp != nil {
		return tp, nil
	}
	var found relay.TopicInfo
	err := r.again(ctx, func() (progress bool, err error) {
		infos, err := r.topicsOf(ctx, name)
		if err != nil {
			return false, fmt.Errorf("look at topic %s: %w", name, err)
		}
		found = infos[0]
		switch {
		case found.Problem.Class == relay.ClassTopic:
			return false, &TopicError{found.Name, found.Problem.Err}
		case found.Problem.Err != nil:
			return false, fmt.Errorf("look at topic %s: %w", found.Name, found.Problem.Err)
		case found.Partitions < 1:
			return false, fmt.Errorf("look at topic %s: it has no partitions", found.Name)
		case found.Name != name: // the events' own topic is spared
		case found.Compacted:
			return false, &TopicError{name, ErrCompacted}
		case found.Unread.Err == nil || r.cfg.NotCompacted:
		case found.Unread.Class == relay.ClassTopic:
			return false, &TopicError{name, fmt.Errorf("%w: %w", ErrMaybeCompacted, found.Unread.Err)}
		default:
			return false, fmt.Errorf("read the settings of topic %s: %w", name, found.Unread.Err)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	tp := &topic{info: found}
	r.topics[name] = tp
	return tp, nil
}

func (r *run) topicsOf(ctx context.Context, name string) ([]relay.TopicInfo, error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.WaveTimeout)
	defer cancel()
	infos, err := r.producer.Topics(asking, []string{name})
	if err == nil && len(infos) != 1 {
		err = fmt.Errorf("the sink described %d topics", len(infos))
	}
	return infos, err
}

func (r *run) open(ctx context.Context) error {
	if r.producer != nil {
		return nil
	}
	p, err := r.cfg.Sink.Open(ctx)
	if err != nil {
		return fmt.Errorf("start a producer: %w", err)
	}
	r.producer = p
	return nil
}

// deliver sends a wave until all of it is acknowledged, or all before the first event
// that cannot be sent. So a caller may continue after this event and leaves out nothing
// else.
func (r *run) deliver(ctx context.Context, w *wave) error {
	err := r.again(ctx, func() (bool, error) {
		if err := r.open(ctx); err != nil {
			return false, err
		}
		return r.attempt(ctx, w)
	})
	if err != nil {
		return err
	}
	return w.failure
}

// again repeats an action with growing pauses until it succeeds, fails for good, or has
// made no progress for too long.
func (r *run) again(ctx context.Context, act func() (progress bool, err error)) error {
	const least, most = 50 * time.Millisecond, 2 * time.Second
	pause, since := least, time.Now()
	for {
		progress, err := act()
		switch {
		case err == nil || lasting(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case progress:
			pause, since = least, time.Now()
			continue
		case time.Since(since) >= r.cfg.Patience:
			return fmt.Errorf("nothing was acknowledged for %s: %w", r.cfg.Patience, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, most)
	}
}

// lasting reports whether trying again is of no use.
func lasting(err error) bool {
	_, event := errors.AsType[*EventError](err)
	_, topic := errors.AsType[*TopicError](err)
	return event || topic
}

// attempt sends what is left of a wave once. It returns an error while something is left.
// An event that cannot be sent ends the wave before it.
func (r *run) attempt(ctx context.Context, w *wave) (progress bool, err error) {
	var which []int
	var records []relay.Record
	begun := map[place]bool{}
	for i, at := range w.places[:w.end] {
		if w.done[i] || w.single[at] && begun[at] {
			continue
		}
		begun[at] = true
		which, records = append(which, i), append(records, w.records[i])
	}
	results := make([]relay.Result, len(records))
	// A wave that was begun is finished: ctx does not end it.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.WaveTimeout)
	r.producer.Send(sending, records, results)
	cancel()

	failed := map[place]bool{}
	batch := map[place]int{}
	for _, i := range which {
		batch[w.places[i]]++
	}
	fenced := false
	for n, i := range which {
		at, res := w.places[i], results[n]
		switch {
		case failed[at]: // what follows a failed record of the partition is sent again
		case res.Err == nil:
			w.done[i], progress = true, true
		default:
			failed[at] = true
			fenced = fenced || res.Class == relay.ClassLeadership
			if res.Class == relay.ClassRecord && batch[at] == 1 {
				if i < w.end {
					w.end, w.failure = i, &EventError{Event: w.events[i], Topic: at.topic, Err: res.Err}
				}
				progress = true
				continue
			}
			if res.Class == relay.ClassRecord {
				w.single[at], progress = true, true // one of the batch; try them one by one
			}
			if err == nil {
				err = fmt.Errorf("send to partition %d of topic %s: %w", at.part, at.topic, res.Err)
			}
		}
	}
	if fenced {
		r.close()
	}
	switch {
	case !slices.Contains(w.done[:w.end], false):
		return true, nil
	case err == nil:
		return true, errUnfinished
	}
	return progress, err
}

// errUnfinished means that records of the wave were not tried yet.
var errUnfinished = errors.New("replay: records of the wave are left")
