package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// evict removes every member from the group, as a broker does with a member that has
// not sent heartbeats.
func (b *bench) evict() {
	b.t.Helper()
	groups, err := kadm.NewClient(b.client).DescribeGroups(b.t.Context(), b.group)
	if err != nil {
		b.t.Fatal(err)
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = b.group
	for _, m := range groups[b.group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = m.MemberID
		req.Members = append(req.Members, member)
	}
	if len(req.Members) == 0 {
		b.t.Fatal("the group has no members")
	}
	if _, err := req.RequestWith(b.t.Context(), b.client); err != nil {
		b.t.Fatal(err)
	}
}

// A member loses its partitions while it handles a record: the handler's context is
// cancelled, nothing of that record is committed even if the handler returns nil, and
// the next owner of the partition handles the record.
func TestLostPartitions(t *testing.T) {
	each(t, 2, func(b *bench) {
		b.produce(0, "paid", 5)
		seen := newLog()
		entered, cancelled := make(chan struct{}), make(chan struct{})
		first := true // only the worker of partition 0 touches it
		stop := b.start(func(ctx context.Context, m consume.Message) error {
			if m.Offset == 2 && first {
				first = false
				close(entered)
				select {
				case <-ctx.Done():
					close(cancelled)
				case <-time.After(2 * time.Minute):
				}
				return nil
			}
			return seen.handle(ctx, m)
		}, func(cfg *kafka.Config) {
			cfg.Options = append(cfg.Options, kgo.HeartbeatInterval(100*time.Millisecond))
		})
		<-entered
		b.waitCommitted(0, 2)
		b.evict()
		select {
		case <-cancelled:
		case <-time.After(time.Minute):
			b.t.Fatal("the handler goes on although its partition is lost")
		}
		want := []string{}
		for i := range 5 {
			want = append(want, fmt.Sprintf("0:%d", i))
		}
		if diff := cmp.Diff(want, seen.wait(b.t, 5)); diff != "" {
			b.t.Fatal(diff)
		}
		b.waitCommitted(0, 5)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}
