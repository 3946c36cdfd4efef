package kafka

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An answer without records that comes before the broker has waited for them is an error,
// also if a busy machine made it late. An answer after the broker's wait is not an error,
// and neither are records.
func TestBarrenAnswersAreCounted(t *testing.T) {
	t.Parallel()
	const wait = time.Second
	broker := kgo.BrokerMetadata{NodeID: 7}
	b := newBrokers(newNotices(slog.New(slog.DiscardHandler), timing{}.withDefaults()))
	b.waited = wait / 2
	answered := func(after time.Duration) int {
		b.OnBrokerE2E(broker, int16(kmsg.Fetch), kgo.BrokerE2E{TimeToRead: after})
		return b.of(broker.NodeID).barren
	}
	var got []int
	for _, after := range []time.Duration{0, wait / 100, wait / 4, 0, wait, 0} {
		got = append(got, answered(after))
	}
	b.OnFetchBatchRead(broker, "orders", 0, kgo.FetchBatchMetrics{})
	got = append(got, answered(0))
	if diff := cmp.Diff([]int{1, 2, 3, 4, 0, 1, 1}, got); diff != "" {
		t.Errorf("barren answers in a row (-want +got):\n%s", diff)
	}
}
