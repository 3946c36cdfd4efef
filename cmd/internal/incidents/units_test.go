//go:build unix

package incidents_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// program is a unit that is a process.
type program struct {
	path  string
	args  []string
	env   []string
	out   growing
	child *child.Process
}

func (p *program) start() error {
	if p.child.Running() {
		return nil
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(surroundings(), p.env...)
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	var err error
	p.child, err = child.Start(cmd, nil)
	return err
}

// stop ends the process as systemd does: also if it is stopped by a signal.
func (p *program) stop() error {
	p.child.Signal(syscall.SIGTERM)
	p.child.Signal(syscall.SIGCONT)
	if !p.child.EndsWithin(patience) {
		return fmt.Errorf("%s did not end within %s of SIGTERM, and was killed", p.path, patience)
	}
	return nil
}

func (p *program) log() string { return p.out.String() }

// relay is the unit outboxrelay.
func (s *site) relay() *program {
	return &program{path: filepath.Join(s.bin, "outboxrelay"), args: []string{"run"}, env: []string{"OUTBOXRELAY_CONFIG=" + s.variables["OUTBOXRELAY_CONFIG"]}}
}

// broker is a Kafka as a unit.
type broker struct{ cluster *services.KafkaCluster }

func (b broker) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.cluster.Start(ctx)
}

func (b broker) stop() error { return nil } // it ends with the test
func (b broker) log() string { return "" }

// background is a unit that is a goroutine.
type background struct {
	run    func(ctx context.Context, log *slog.Logger) error
	out    growing
	cancel context.CancelFunc
	ended  chan error
}

func (b *background) start() error {
	if b.cancel != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.ended = cancel, make(chan error, 1)
	go func() { b.ended <- b.run(ctx, slog.New(slog.NewJSONHandler(&b.out, nil))) }()
	return nil
}

func (b *background) stop() error {
	if b.cancel == nil {
		return nil
	}
	b.cancel()
	b.cancel = nil
	if err := <-b.ended; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (b *background) log() string { return b.out.String() }

// oldRelay is a relay of a hand-written outbox. It polls, locks the rows that it finds, and
// sends them one after the other. pace is the pause between two looks.
func oldRelay(address, topic string, brokers []string, pace time.Duration) *background {
	return &background{run: func(ctx context.Context, _ *slog.Logger) error {
		config, err := pgx.ParseConfig(address)
		if err != nil {
			return err
		}
		config.RuntimeParams["application_name"] = "shop-outbox-worker"
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return err
		}
		defer conn.Close(context.Background()) //nolint:errcheck // it was only used here
		producer, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
		if err != nil {
			return err
		}
		defer producer.Close()
		for ctx.Err() == nil {
			if err := publishAsBefore(ctx, conn, producer, topic); err != nil {
				return err
			}
			wait.For(ctx, pace)
		}
		return nil
	}}
}

func publishAsBefore(ctx context.Context, conn *pgx.Conn, producer *kgo.Client, topic string) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, event_key, event_data::text FROM event_outbox WHERE published_at IS NULL ORDER BY created_at, seq LIMIT 20 FOR UPDATE SKIP LOCKED`)
		if err != nil {
			return err
		}
		type event struct {
			ID, Key, Data string
		}
		events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[event])
		if err != nil {
			return err
		}
		for _, e := range events {
			record := &kgo.Record{Topic: topic, Key: []byte(e.Key), Value: []byte(e.Data)}
			if err := producer.ProduceSync(ctx, record).FirstErr(); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE event_outbox SET published_at = now() WHERE id = $1`, e.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// mailer is a consumer that cannot handle some events at first. Its second start has the fix.
type mailer struct {
	background
	starts  int
	handled *growing // a line for each event: its number
}

func (m *mailer) start() error {
	if m.cancel == nil {
		m.starts++
	}
	return m.background.start()
}

// newMailer makes the consumer. fails says which events it cannot handle.
func newMailer(s *site, deadLetters string, fails func(n int) bool) *mailer {
	m := &mailer{handled: &growing{}}
	m.run = func(ctx context.Context, log *slog.Logger) error {
		isFixed := m.starts > 1
		router := consume.NewRouter()
		router.Handle(eventType, func(_ context.Context, message consume.Message) error {
			n, err := numberOf(message.Value)
			if err != nil {
				return err
			}
			if fails(n) && !isFixed {
				return fmt.Errorf("no template for event %d", n)
			}
			_, err = fmt.Fprintln(m.handled, n)
			return err
		})
		return kafka.Run(ctx, kafka.Config{
			Brokers: s.kafka.Brokers, Group: "mailer." + s.topic, Topics: []string{s.topic}, Router: router,
			MaxAttempts: 2, RetryMin: time.Millisecond, RetryMax: time.Millisecond, DeadLetterTopic: deadLetters, Logger: log,
		})
	}
	return m
}
