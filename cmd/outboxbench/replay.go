package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/relay/replay"
)

const replayExplained = "200 transactions a second insert an event each, and a relay publishes them, as in latency-200. The table has 2,000,000 published rows, which " +
	"another process publishes again meanwhile, to a topic of its own, with the code of `outboxrelay replay`: with its default of 500 events a second, and without a limit. " +
	"At the end of the history it begins again. The time is from the answer to COMMIT until a consumer has the record. The barest replay reads pages in order and sends them as fast " +
	"as it can. *Replayed* is the number of events that were published again in a second. The CPU seconds of the client are those of the relay, kfake, the writers and " +
	"the consumer, without the process of the replay."

// replayColumns are what replayBeside measures.
var replayColumns = []string{"p50 ms", "p99 ms", "replayed/s", "server CPU s", "client CPU s", "WAL MB"}

const (
	// replayTopic is where past events are published again.
	replayTopic = topic + ".replayed"
	// replayVariantCount is the number of variants, for the estimate.
	replayVariantCount = 5
)

// replayBeside measures live events beside a replay of past ones.
type replayBeside struct{ lab *lab }

func replayVariants(ctx context.Context, l *lab) ([]variant, error) {
	old, err := l.withHistory(ctx)
	if err != nil {
		return nil, err
	}
	old.effort.latency, old.effort.warmUp = l.effort.replay, l.effort.replayWarmUp
	if err := old.keepBatches(ctx); err != nil {
		return nil, err
	}
	s := replayBeside{old}
	ours := func(again *republish) measurement {
		return s.with(again, func(int64) carrier { return old.postgresCarrier(pgstore.Mark, relay.Config{}) })
	}
	bare := func(again *republish) measurement {
		return s.with(again, func(newest int64) carrier {
			return bareLoop{mode: pgstore.Mark, after: newest}.carrier(old, old.byNotify)
		})
	}
	if _, err := ours(nil)(ctx); err != nil { // a relay's first look at the table takes longer
		return nil, err
	}
	const relayAlone = 2
	return []variant{
		{"bare loop, alone", bareLabel, 0, bare(nil)},
		{"bare loop, beside a bare replay", bareLabel, 0, bare(&republish{Bare: true})},
		{"relay, alone", oursLabel, relayAlone, ours(nil)},
		{"relay, replay of 500/s (default)", "replay", relayAlone, ours(&republish{})},
		{"relay, replay without limit", "replay-fast", relayAlone, ours(&republish{Rate: -1})},
	}, nil
}

// keepBatches makes the table of the business in the schema of the history, if it is missing.
func (l *lab) keepBatches(ctx context.Context) error {
	_, err := l.admin.Exec(ctx, `CREATE TABLE IF NOT EXISTS batches (id text PRIMARY KEY, graded bigint NOT NULL DEFAULT 0);
		INSERT INTO batches (id) SELECT 'batch-' || lpad(i::text, 4, '0') FROM generate_series(0, `+fmt.Sprint(keys-1)+`) AS i ON CONFLICT DO NOTHING`)
	return err
}

// with measures live events that a carrier carries. It gets the newest seq.
func (s replayBeside) with(again *republish, start func(newest int64) carrier) measurement {
	return func(ctx context.Context) (_ []float64, err error) {
		var newest int64
		if err := s.lab.admin.QueryRow(ctx, "SELECT coalesce(max(seq), 0) FROM event_outbox").Scan(&newest); err != nil {
			return nil, err
		}
		carried, err := s.lab.carried(ctx, start(newest))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, carried.end()) }()
		if _, err := carried.kafka.admin.CreateTopic(ctx, partitions, 1, nil, replayTopic); err != nil {
			return nil, err
		}
		if again != nil {
			end, err := again.begin(ctx, s.lab, carried.kafka)
			if err != nil {
				return nil, err
			}
			defer end()
		}
		before, err := carried.kafka.count(ctx, replayTopic)
		if err != nil {
			return nil, err
		}
		waits, used, err := latency{perSecond: 200}.load(ctx, s.lab, carried)
		if err != nil {
			return nil, err
		}
		after, err := carried.kafka.count(ctx, replayTopic)
		if err != nil {
			return nil, err
		}
		rate := float64(after-before) / used.took.Seconds()
		return append([]float64{percentile(waits, 50), percentile(waits, 99), rate}, used.total()...), nil
	}
}

// republish is what a process of its own does: it publishes the history again and again.
type republish struct {
	Rate int  // that of replay.Config
	Bare bool // the barest code instead
}

// begin starts the process, and waits for its first record. The function ends the process.
func (r *republish) begin(ctx context.Context, l *lab, k *kafka) (end func(), err error) {
	p, err := job{URL: l.url, Brokers: k.addrs, Replay: r}.start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Kill()
		}
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, stall, errors.New("the replay sent nothing"))
	defer cancel()
	const pause = 10 * time.Millisecond
	return p.Kill, wait.Until(ctx, pause, func() (bool, error) {
		if !p.Running() {
			return false, errors.New("the replay ended")
		}
		n, err := k.count(ctx, replayTopic)
		return n > 0, err
	})
}

// run is that process.
func (r *republish) run(ctx context.Context, url string, brokers []string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing depends on the goodbye
	if r.Bare {
		return republishBare(ctx, conn, brokers)
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(brokers...)}})
	if err != nil {
		return err
	}
	for {
		history, err := pgstore.NewHistory(ctx, conn)
		if err != nil {
			return err
		}
		if _, err := replay.Run(ctx, replay.Config{History: history, Sink: replay.Redirect(sink, replayTopic), Rate: r.Rate}); err != nil {
			return err
		}
	}
}

// republishBare reads pages and sends them.
func republishBare(ctx context.Context, conn *pgx.Conn, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	for after := int64(0); ; {
		rows, err := conn.Query(ctx, "SELECT seq, event_key, event_data::text FROM event_outbox WHERE seq > $1 AND published_at IS NOT NULL ORDER BY seq LIMIT $2",
			after, barePageRows)
		if err != nil {
			return err
		}
		p, err := scanPage(rows, replayTopic)
		if err != nil {
			return err
		}
		if len(p.seqs) == 0 {
			after = 0
			continue
		}
		if err := client.ProduceSync(ctx, p.records...).FirstErr(); err != nil {
			return err
		}
		after = p.seqs[len(p.seqs)-1]
	}
}
