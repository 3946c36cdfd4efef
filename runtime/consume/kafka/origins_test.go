package kafka

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answered returns the coordinator's answer for two partitions of the topic: one with
// an offset and this metadata, one without an offset.
func answered(id topicID, metadata string) *kmsg.OffsetFetchResponse {
	return &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{
		Topics: []kmsg.OffsetFetchResponseGroupTopic{{
			Topic: "t", TopicID: id,
			Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{
				{Partition: 0, Offset: 3, Metadata: &metadata},
				{Partition: 1, Offset: -1},
			},
		}},
	}}}
}

// commitOf returns a commit of partition 0, and the answer of a broker that names topics
// by their ids.
func commitOf(id topicID) (*kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse) {
	text := tag(id, "m")
	return &kmsg.OffsetCommitRequest{Topics: []kmsg.OffsetCommitRequestTopic{{
			Topic: "t", TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 5, Metadata: &text}},
		}}}, &kmsg.OffsetCommitResponse{Topics: []kmsg.OffsetCommitResponseTopic{{
			TopicID: id, Partitions: []kmsg.OffsetCommitResponseTopicPartition{{}},
		}}}
}

// A commit that is refused or not answered stores no offset.
func TestCommitsThatAreNotStored(t *testing.T) {
	req, refused := commitOf(topicID{1})
	refused.Topics[0].Partitions[0].ErrorCode = kerr.IllegalGeneration.Code
	o := newOrigins()
	o.committed(nil, req, refused, nil)
	o.committed(nil, req, nil, kerr.CoordinatorNotAvailable)
	if stored := o.of("t").stored; len(stored) > 0 {
		t.Errorf("stored: %v", stored)
	}
}

// The offset of a partition is used if it belongs to the existing topic.
func TestWhichOffsetsAreBelieved(t *testing.T) {
	a, b := topicID{1}, topicID{2}
	for _, c := range []struct {
		name      string
		looks     []topicID // what the watch has seen before
		stored    topicID   // it has committed an offset of this topic
		asked     topicID   // the client asked for offsets by this id
		metadata  string
		believed  bool
		delivered topicID  // then these records come
		want      delivery // with this verdict
	}{
		{"of this topic", []topicID{a}, topicID{}, a, tag(a, "m"), true, a, ofTopic},
		{"of this topic, a new process", nil, topicID{}, a, tag(a, "m"), true, a, ofTopic},
		{"of this topic, offsets by name", nil, topicID{}, topicID{}, tag(a, "m"), true, a, ofTopic},
		{"of another topic", nil, topicID{}, b, tag(a, "m"), false, b, ofTopic},
		{"of another topic, which was seen", []topicID{a, b}, topicID{}, b, tag(a, "m"), false, b, ofTopic},
		{"of another topic, offsets by name", nil, topicID{}, topicID{}, tag(a, "m"), true, b, misplaced},
		{"of another topic, offsets by name, which was seen", []topicID{a, b}, topicID{}, topicID{}, tag(a, "m"), false, b, ofTopic},
		{"of a newer topic", []topicID{a}, topicID{}, a, tag(b, "m"), false, b, ofTopic},
		{"of an unknown topic", nil, topicID{}, b, tag(topicID{}, "m"), false, b, ofTopic},
		{"set by hand", nil, topicID{}, a, "", true, a, ofTopic},
		{"of another client", nil, topicID{}, a, "consumer-1", true, a, ofTopic},
		{"of another client, recreated", []topicID{a, b}, topicID{}, b, "consumer-1", false, b, ofTopic},
		{"of another client, recreated, records of the former", []topicID{a, b}, topicID{}, b, "consumer-1", false, a, ofFormer},
		{"metadata was cut", nil, topicID{}, a, tagPrefix + "AAA", false, a, ofTopic},
		{"brokers without ids", []topicID{{}}, topicID{}, topicID{}, "", true, topicID{}, ofTopic},
		{"set by hand after a commit, recreated", []topicID{a, b}, b, b, "", true, b, ofTopic},
		{"set by hand after a commit to the former, recreated", []topicID{a, b}, a, b, "", false, b, ofTopic},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOrigins()
			for _, id := range c.looks {
				o.look("t", id)
			}
			if c.stored != (topicID{}) {
				req, resp := commitOf(c.stored)
				o.committed(nil, req, resp, nil)
			}
			o.offsets(answered(c.asked, c.metadata))
			commit := kgo.NewOffset().At(3).WithEpoch(7)
			offsets := map[string]map[int32]kgo.Offset{"t": {0: commit, 1: kgo.NewOffset().AtStart()}}
			former := o.adjust(offsets)
			want, count := commit, map[string]int{}
			if !c.believed {
				want, count = kgo.NewOffset().AtStart(), map[string]int{"t": 1}
			}
			if got := offsets["t"][0]; got != want {
				t.Errorf("it begins at %v, not at %v", got, want)
			}
			if diff := cmp.Diff(count, former); diff != "" {
				t.Error(diff)
			}
			if got := o.delivered(partition{"t", 0}, c.delivered); got != c.want {
				t.Errorf("records are taken for %d, not for %d", got, c.want)
			}
		})
	}
}

// A broker with old metadata returns the id of a deleted topic. This does not count as
// another recreation, unless the brokers repeat it.
func TestABrokerThatIsBehind(t *testing.T) {
	a, b := topicID{1}, topicID{2}
	o := newOrigins()
	for i, look := range []struct {
		id      topicID
		current bool
	}{{a, true}, {b, true}, {a, false}, {b, true}, {a, false}, {a, false}, {a, true}, {a, true}, {b, false}} {
		if current, _ := o.look("t", look.id); current != look.current {
			t.Errorf("look %d: current is %v", i, current)
		}
	}
}

// If the client asked for offsets with the id of a deleted topic, or they belong to
// another topic, the topic is read from its start.
func TestMisplacedTopics(t *testing.T) {
	a, b := topicID{1}, topicID{2}
	for _, c := range []struct {
		name     string
		before   topicID
		asked    topicID
		code     int16 // of the answer
		metadata string
		now      topicID
		want     bool
	}{
		{"as it was", a, a, 0, tag(a, "m"), a, false},
		{"the client is behind", b, a, kerr.UnknownTopicID.Code, "", b, true},
		{"the topic was recreated", a, a, 0, tag(a, "m"), b, true},
		{"offsets by name, of another topic", topicID{}, topicID{}, 0, tag(a, "m"), b, true},
		{"offsets by name, of this topic", topicID{}, topicID{}, 0, tag(a, "m"), a, false},
		{"brokers without ids", topicID{}, topicID{}, 0, "", topicID{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOrigins()
			o.look("t", c.before)
			resp := answered(c.asked, c.metadata)
			for i := range resp.Groups[0].Topics[0].Partitions {
				resp.Groups[0].Topics[0].Partitions[i].ErrorCode = c.code
			}
			o.offsets(resp)
			o.adjust(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(3)}})
			if _, got := o.look("t", c.now); got != c.want {
				t.Errorf("misplaced is %v", got)
			}
			o.readopt("t")
			if _, got := o.look("t", c.now); got {
				t.Error("it is misplaced after it was read anew")
			}
		})
	}
}

// The offset of a topic that was recreated is gone, as after it is recreated once more: the
// partition is read from its beginning, wherever a new group would begin.
func TestAnOffsetThatIsGone(t *testing.T) {
	a, b := topicID{1}, topicID{2}
	o := newOrigins()
	o.look("t", a)
	o.look("t", b)
	req, accepted := commitOf(b)
	o.committed(nil, req, accepted, nil)
	resp := answered(b, "")
	resp.Groups[0].Topics[0].Partitions[0].Offset = -1
	o.offsets(resp)
	got := map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(9)}} // where StartAt would have it begin
	former := o.adjust(got)
	if got["t"][0] != kgo.NewOffset().AtStart() {
		t.Errorf("it begins at %v", got["t"][0])
	}
	if diff := cmp.Diff(map[string]int{"t": 1}, former); diff != "" {
		t.Error(diff)
	}
}
