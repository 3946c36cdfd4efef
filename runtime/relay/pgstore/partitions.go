package pgstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// partitionDays is for how many days after today there are partitions. While no relay runs,
// none is made, and events of later days go to event_outbox_other.
const partitionDays = 7

// Outcomes of the functions that make and drop partitions: see log.up.sql of package
// migrations.
const (
	partitionMade      = "made"
	partitionAgain     = "again"
	partitionRows      = "rows"
	partitionNear      = "near"
	partitionStranger  = "stranger"
	partitionLocked    = "locked"
	partitionDropped   = "dropped"
	partitionUnsettled = "unsettled"
	partitionWaiting   = "waiting"
)

// partitions is what a store knows of the partitions that it could not make or drop.
type partitions struct {
	mu        sync.Mutex
	obstacles map[string]obstacle // by partition
	slow      time.Time           // no partitions are made before this time
}

// obstacle is what keeps a partition from being made or dropped.
type obstacle struct {
	outcome string
	calls   int // in a row
}

// An obstacle is logged when it was there a few minutes, and then once in an hour: a lock is
// often free a minute later.
const (
	obstacleAfter = 5
	obstacleEvery = 60
)

// met counts an obstacle, and reports whether to log it.
func (p *partitions) met(partition, outcome string) (calls int, say bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.obstacles == nil {
		p.obstacles = map[string]obstacle{}
	}
	o := p.obstacles[partition]
	if o.outcome != outcome {
		o = obstacle{outcome: outcome}
	}
	o.calls++
	p.obstacles[partition] = o
	return o.calls, o.calls%obstacleEvery == obstacleAfter
}

// slowed pauses the making of partitions for an hour.
func (p *partitions) slowed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = time.Now().Add(time.Hour)
}

// pauses reports whether the making of partitions pauses.
func (p *partitions) pauses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.slow)
}

// passed forgets an obstacle.
func (p *partitions) passed(partition string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.obstacles, partition)
}

// Maintain makes the partitions of the next days, and drops those that ended longer ago than
// keep; below 0: none. Each statement is a transaction, so it holds its locks for a moment.
func (s *LogStore) Maintain(ctx context.Context, l relay.Lease, keep time.Duration) error {
	return s.underLease(ctx, "make and drop partitions", useForKeeping, l, func(_ *term, se *session) (int64, error) {
		if err := s.makePartitions(ctx, se); err != nil {
			return 0, err
		}
		if keep < 0 {
			return 1, nil
		}
		return 1, s.dropPartitions(ctx, se, keep)
	})
}

func (s *LogStore) makePartitions(ctx context.Context, se *session) error {
	if s.partitions.pauses() {
		return nil
	}
	made := 0
	for ahead := range partitionDays + 1 {
		did := pgdb.MakePartitionRow{Outcome: partitionAgain}
		for steps := 0; did.Outcome == partitionAgain && steps < 4; steps++ {
			var err error
			did, err = se.q.MakePartition(ctx, int32(ahead))
			if sqlstate.Code(err) == queryCanceled && ctx.Err() == nil {
				s.partitions.slowed()
				s.warnOnce(ctx, "no partitions of event_outbox created: event_outbox_other is so large that it cannot be searched for rows of their days within the statement timeout, "+
					"retrying once an hour; events of days without a partition go to event_outbox_other",
					"remedy", "as the owner, ALTER TABLE event_outbox_other VALIDATE CONSTRAINT with the constraint that begins with none_of_")
				return nil
			}
			if err != nil {
				return err
			}
		}
		partition := "event_outbox_d" + did.Day
		switch did.Outcome {
		case partitionMade:
			made++
		case partitionRows, partitionNear:
			s.warnOnce(ctx, "a day gets no partition of event_outbox, because event_outbox_other has rows of it, or is large and the day is near; "+
				"its events go to event_outbox_other, and are deleted in batches, not with a partition", "partition", partition)
		case partitionStranger:
			s.warnOnce(ctx, "a day gets no partition of event_outbox, because a table has the partition's name", "partition", partition,
				"remedy", "rename that table, or drop it")
		case partitionLocked:
			if calls, say := s.partitions.met(partition, did.Outcome); say {
				s.cfg.Logger.WarnContext(ctx, "partition of event_outbox not created, retrying: other sessions lock event_outbox or event_outbox_other",
					slog.String("partition", partition), slog.Int("attempts", calls), slog.String("remedy", "end long transactions on them"))
			}
			return nil // writers have waited behind the statement
		}
		s.partitions.passed(partition)
	}
	if made > 0 {
		s.cfg.Logger.InfoContext(ctx, "partitions of event_outbox created", slog.Int("partitions", made))
	}
	return nil
}

// queryCanceled is the SQLSTATE after statement_timeout.
const queryCanceled = "57014"

func (s *LogStore) dropPartitions(ctx context.Context, se *session, keep time.Duration) error {
	days, err := se.q.OldPartitions(ctx, keep.Seconds())
	if err != nil {
		return err
	}
	for _, day := range days {
		outcome, err := se.q.DropPartition(ctx, pgdb.DropPartitionParams{Day: day, KeepSeconds: keep.Seconds()})
		if err != nil {
			return err
		}
		partition := "event_outbox_d" + day
		why, stays := map[string]string{
			partitionLocked:    "other sessions lock event_outbox or the partition; end long transactions on them, also reports",
			partitionUnsettled: "the cursor is not past all of its events; see outboxrelay status",
			partitionWaiting:   "events of it wait; see outboxrelay status",
		}[outcome]
		if !stays {
			s.partitions.passed(partition)
		} else if calls, say := s.partitions.met(partition, outcome); say {
			s.cfg.Logger.WarnContext(ctx, "partition of event_outbox is older than the retention and not dropped, retrying",
				slog.String("partition", partition), slog.Int("attempts", calls), slog.String("reason", why))
		}
		if outcome == partitionDropped {
			s.cfg.Logger.InfoContext(ctx, "partition of event_outbox dropped", slog.String("partition", partition))
		}
		if outcome == partitionLocked {
			return nil // writers have waited behind the statement
		}
	}
	return nil
}
