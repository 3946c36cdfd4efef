package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// unsettledRows are the values to measure, with the default among them.
var unsettledRows = []int{500, 1_000, 2_500, 5_000, 10_000, 30_000}

// repeatsVariants kills relays while they drain, with several values of UnsettledRows.
func repeatsVariants(_ context.Context, l *lab) ([]variant, error) {
	d := drain{mode: pgstore.Mark}
	out := []variant{{"bare loop, not killed", bareLabel, func(ctx context.Context) ([]float64, error) {
		speed, err := d.measure(ctx, l, d.bare)
		return append(speed, 0), err
	}}}
	for _, n := range unsettledRows {
		d := drain{mode: pgstore.Mark, unsettled: n}
		out = append(out, variant{fmt.Sprintf("unsettled-rows %d", n), oursLabel, func(ctx context.Context) ([]float64, error) {
			speed, err := d.measure(ctx, l, d.relay)
			if err != nil {
				return nil, err
			}
			worst, err := l.killed(ctx, n)
			return append(speed, float64(worst)), err
		}})
	}
	return out, nil
}

// killed kills a draining relay several times with SIGKILL, and returns how many rows
// the worst kill repeated.
func (l *lab) killed(ctx context.Context, unsettled int) (worst int64, err error) {
	if err := l.reset(ctx); err != nil {
		return 0, err
	}
	if err := l.fill(ctx); err != nil {
		return 0, err
	}
	kafka, err := l.kafka()
	if err != nil {
		return 0, err
	}
	defer kafka.Close()
	brokers := kafka.ListenAddrs()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	var before int64 // repeated by earlier kills
	for i := range l.effort.kills {
		at := int64(l.rows)*int64(i+1)/int64(l.effort.kills+1) + before
		if err := l.killOne(ctx, brokers[0], admin, unsettled, at); err != nil {
			return 0, err
		}
		sent, err := ends(ctx, admin)
		if err != nil {
			return 0, err
		}
		var settled int64
		if err := l.admin.QueryRow(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NOT NULL").Scan(&settled); err != nil {
			return 0, err
		}
		worst = max(worst, sent-before-settled)
		before = sent - settled
	}
	return worst, nil
}

// killOne starts a relay in its own process, and kills it once a number of records are
// in Kafka.
func (l *lab) killOne(ctx context.Context, broker string, kafka *kadm.Client, unsettled int, at int64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), drainerURL+"="+l.url, drainerBroker+"="+broker, drainerUnsettled+"="+strconv.Itoa(unsettled))
	cmd.Stderr = os.Stderr
	drainer, err := child.Start(cmd, nil)
	if err != nil {
		return err
	}
	defer drainer.Kill()
	limit := time.Now().Add(stall)
	for {
		sent, err := ends(ctx, kafka)
		if err != nil || sent >= at {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the relay that is to be killed sent %d of %d records in %s", sent, at, stall)
		}
	}
}

// ends returns the number of records in the topic.
func ends(ctx context.Context, kafka *kadm.Client) (sum int64, err error) {
	offsets, err := kafka.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	offsets.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, nil
}

// With these variables in its environment, the process drains until it is killed.
const (
	drainerURL       = "OUTBOXBENCH_DRAIN_URL"
	drainerBroker    = "OUTBOXBENCH_DRAIN_BROKER"
	drainerUnsettled = "OUTBOXBENCH_DRAIN_UNSETTLED"
)

// drainUntilKilled is that process. It returns only if it cannot start.
func drainUntilKilled() error {
	unsettled, err := strconv.Atoi(os.Getenv(drainerUnsettled))
	if err != nil {
		return err
	}
	l := &lab{url: os.Getenv(drainerURL), log: quiet}
	r, err := l.startRelay(context.Background(), []string{os.Getenv(drainerBroker)}, pgstore.Mark, nil, relay.NopObserver{}, unsettled)
	if err != nil {
		return err
	}
	<-r.done
	return r.err
}
