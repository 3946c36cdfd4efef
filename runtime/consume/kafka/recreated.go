package kafka

import (
	"context"
	"encoding/base64"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A topic that was deleted and created again has its former name and a new id. The
// group's offsets are stored by name, so an offset of the former topic can be taken for
// one of the new topic: a commit that is under way when the topic is deleted, or an
// offset that the brokers have not deleted yet. The group would continue at that offset
// and miss the records of the new topic before it. Therefore each commit has the
// topic's id in its metadata, and a partition whose offset belongs to another topic is
// read from its beginning.

type topicID [16]byte

const (
	tagPrefix  = "topic-id="
	tagUnknown = "unknown"
)

// tag returns the metadata of a commit, with the topic's id.
func tag(id topicID, member string) string {
	text := tagUnknown
	if id != (topicID{}) {
		text = base64.RawURLEncoding.EncodeToString(id[:])
	}
	return tagPrefix + text + " member=" + member
}

// tagged returns the id of the topic that a commit belongs to; zero: unknown.
func tagged(metadata string) (id topicID, ok bool) {
	text, ok := strings.CutPrefix(metadata, tagPrefix)
	if !ok {
		return topicID{}, false
	}
	text, _, _ = strings.Cut(text, " ")
	if decoded, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(decoded) == len(id) {
		copy(id[:], decoded)
	}
	return id, true
}

// origins has the ids of topics, and the ids of the topics that the start offsets
// belong to.
type origins struct {
	mu     sync.Mutex
	topics map[string]*origin
}

type origin struct {
	current  topicID          // zero: not known, or the brokers have no ids
	former   map[topicID]bool // ids that the topic had earlier in this run
	insisted int              // how often in a row a former id was reported as the current one
	fetched  topicID          // the client requested offsets by this id; zero: by name
	metadata map[int32]string // of the offsets that were fetched last
	starts   map[int32]topicID
	stored   map[int32]topicID // the topic to which the last offset with an id belongs that the brokers are known to have had
}

func newOrigins() *origins { return &origins{topics: map[string]*origin{}} }

// of requires the lock.
func (o *origins) of(topic string) *origin {
	t := o.topics[topic]
	if t == nil {
		t = &origin{former: map[topicID]bool{}, metadata: map[int32]string{}, starts: map[int32]topicID{}, stored: map[int32]topicID{}}
		o.topics[topic] = t
	}
	return t
}

// see takes the id that a broker reports for a topic, and returns whether it is the
// current one. A broker that is behind reports a former one.
func (t *origin) see(id topicID) bool {
	if id == (topicID{}) || id == t.current {
		return true
	}
	if t.former[id] {
		return false
	}
	if t.current != (topicID{}) {
		t.former[t.current] = true
	}
	t.current, t.insisted = id, 0
	return true
}

// insistent is how often in a row the brokers have to report a former id until it is
// believed: then the first answer came from a broker that was behind.
const insistent = 3

// look takes a topic's id from the cluster metadata. It returns whether the id is
// current, and whether the client reads the topic under another id or from an offset of
// another topic.
func (o *origins) look(topic string, id topicID) (current, misplaced bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.of(topic)
	if !t.see(id) {
		if t.insisted++; t.insisted < insistent {
			return false, false
		}
		delete(t.former, id)
		t.see(id)
	}
	t.insisted = 0
	return true, t.misplaced()
}

func (t *origin) misplaced() bool {
	if t.current == (topicID{}) {
		return false
	}
	if t.fetched != (topicID{}) && t.fetched != t.current {
		return true
	}
	for _, start := range t.starts {
		if start != t.current {
			return true
		}
	}
	return false
}

// replaced takes a topic's id, and returns whether it differs from the last one or from
// that of the start offsets.
func (o *origins) replaced(topic string, id topicID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.of(topic)
	before := t.current
	return t.see(id) && (before != topicID{} && t.current != before || t.misplaced())
}

// readopt resets a topic that is read from its beginning again.
func (o *origins) readopt(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.of(topic)
	t.fetched = topicID{}
	clear(t.starts)
	clear(t.metadata)
}

// commit writes the topic's id into each commit.
func (o *origins) commit(req *kmsg.OffsetCommitRequest) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range req.Topics {
		topic := &req.Topics[i]
		known := o.topics[topic.Topic]
		if topic.TopicID == [16]byte{} && (known == nil || known.current == topicID{} && len(known.former) == 0) {
			continue // the brokers have no ids
		}
		text := tag(topic.TopicID, req.MemberID)
		for j := range topic.Partitions {
			topic.Partitions[j].Metadata = &text
		}
	}
	return nil
}

// committed takes the answer to a commit.
func (o *origins) committed(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
	if err != nil || resp == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	accepted := map[partition]bool{}
	for i := range resp.Topics {
		answer := &resp.Topics[i]
		name := topicOf(req, answer)
		for _, p := range answer.Partitions {
			accepted[partition{name, p.Partition}] = p.ErrorCode == 0
		}
	}
	for i := range req.Topics {
		name := req.Topics[i].Topic
		for _, p := range req.Topics[i].Partitions {
			if accepted[partition{name, p.Partition}] && p.Metadata != nil {
				o.of(name).store(p.Partition, *p.Metadata)
			}
		}
	}
}

// store records that the brokers have had an offset with this metadata.
func (t *origin) store(partition int32, metadata string) {
	if id, ok := tagged(metadata); ok {
		t.stored[partition] = id
	}
}

// offsets takes the answer of the group coordinator.
func (o *origins) offsets(resp *kmsg.OffsetFetchResponse) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range resp.Groups {
		for _, topic := range resp.Groups[i].Topics {
			if topic.Topic == "" {
				continue
			}
			t := o.of(topic.Topic)
			t.fetched = topic.TopicID
			for _, p := range topic.Partitions {
				if p.ErrorCode == 0 { // the coordinator knows the id
					t.see(topic.TopicID)
				}
				delete(t.metadata, p.Partition)
				if p.ErrorCode == 0 && p.Offset < 0 { // it was deleted, perhaps with the topic
					delete(t.stored, p.Partition)
				}
				if p.Metadata != nil {
					t.metadata[p.Partition] = *p.Metadata
					t.store(p.Partition, *p.Metadata)
				}
			}
		}
	}
}

// adjust moves partitions whose offset belongs to a former topic to the start, and
// counts them by topic. An offset without a topic id is used unless this run has seen
// the topic being recreated. It is used even then if the brokers had an offset of the new
// topic before: the other one replaced it, so it was set after the topic was recreated.
func (o *origins) adjust(offsets map[string]map[int32]kgo.Offset) (former map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	former = map[string]int{}
	for p, offset := range eachOffset(offsets) {
		t := o.of(p.topic)
		delete(t.starts, p.id)
		of, ok := tagged(t.metadata[p.id])
		switch {
		case !ok && (len(t.former) == 0 || t.current != topicID{} && t.stored[p.id] == t.current):
		case !ok, t.former[of], t.current != topicID{} && of != t.current:
			if offset.EpochOffset().Offset > 0 {
				former[p.topic]++
			}
			offsets[p.topic][p.id] = kgo.NewOffset().AtStart()
		default:
			t.starts[p.id] = of
		}
	}
	return former
}

// delivery classifies records of a topic with an id.
type delivery int

const (
	ofTopic   delivery = iota
	ofFormer           // of a topic that was deleted
	misplaced          // they begin at an offset of another topic, so some may be missing
)

func (o *origins) delivered(p partition, id topicID) delivery {
	if id == (topicID{}) {
		return ofTopic
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.of(p.topic)
	if !t.see(id) {
		return ofFormer
	}
	if start, ok := t.starts[p.id]; ok && start != id {
		return misplaced
	}
	return ofTopic
}

func (o *origins) forget(partitions map[string][]int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range each(partitions) {
		t := o.of(p.topic)
		delete(t.starts, p.id)
		delete(t.metadata, p.id)
	}
}

// committing returns a context whose commits have the topic's id.
func (r *run) committing(ctx context.Context) context.Context {
	return kgo.PreCommitFnContext(ctx, r.origins.commit)
}

// recreatedTopic asks the brokers whether a topic was recreated since its id was last
// seen.
func (r *run) recreatedTopic(ctx context.Context, topic string) bool {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, askFor(topic))
	asking, cancel := context.WithTimeout(ctx, r.cfg.timing.answer)
	defer cancel()
	resp, err := r.watch.ask(asking, req, false)
	return err == nil && len(resp.Topics) == 1 && resp.Topics[0].ErrorCode == 0 && r.origins.replaced(topic, resp.Topics[0].TopicID)
}

// orphan gives records of a deleted topic to a worker that handles them and marks no
// offsets.
func (r *run) orphan(p partition, topic topicID, records []*kgo.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.workers[p]; w != nil && w.topic == topic {
		w.add(records)
		return
	}
	w := newWorker(r, p, topic, r.former(p))
	w.detached.Store(true)
	w.paused = true // it must not pause the partition of the new topic
	w.add(records)
	r.keep(w)
	w.work()
}

// former requires the lock. It returns a channel that is closed when the last detached
// worker of a partition has ended.
func (r *run) former(p partition) <-chan struct{} {
	for _, w := range r.detached { // the last one is first
		if w.p == p {
			return w.done
		}
	}
	return nil
}

// keep requires the lock. It adds a detached worker to those that have not ended.
func (r *run) keep(w *worker) {
	alive := []*worker{w}
	for _, former := range r.detached {
		select {
		case <-former.done:
		default:
			alive = append(alive, former)
		}
	}
	r.detached = alive
}
