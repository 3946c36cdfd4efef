package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
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
	without   map[string]bool     // days without a partition that were logged, from today on

	makes, drops attempts
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

// inOrder sorts days: those whose partitions had no obstacle, or the fewest times, are first. So
// one that has a lock of its own keeps no other from being dropped.
func (p *partitions) inOrder(days []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortStableFunc(days, func(a, b string) int {
		return cmp.Compare(p.obstacles[partitionOf(a)].calls, p.obstacles[partitionOf(b)].calls)
	})
}

// news returns which partitions are not known to be left out, and notes them. It forgets those of days
// before today's.
func (p *partitions) news(today string, without []string) (added []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.without, func(partition string, _ bool) bool { return partition < today })
	for _, partition := range without {
		if p.without[partition] {
			continue
		}
		if p.without == nil {
			p.without = map[string]bool{}
		}
		p.without[partition] = true
		added = append(added, partition)
	}
	return added
}

func partitionOf(day string) string { return "event_outbox_d" + day }

// passed forgets an obstacle.
func (p *partitions) passed(partition string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.obstacles, partition)
}

// Maintain makes the partitions of the next days, and drops those that ended longer ago than
// keep; below 0: none. Each statement is a transaction, so it holds its locks for a moment. If one
// fails, the others are still tried.
func (s *LogStore) Maintain(ctx context.Context, l relay.Lease, keep time.Duration) error {
	return s.underLease(ctx, "make and drop partitions", useForKeeping, l, func(_ *term, se *session) (int64, error) {
		err := s.makePartitions(ctx, se)
		if keep >= 0 && !over(ctx, se) {
			err = errors.Join(err, s.dropPartitions(ctx, se, keep))
		}
		return 1, err
	})
}

// joined adds an error to others, unless one of them has its text: each day may fail for one reason.
func joined(err, failed error) error {
	if err != nil && strings.Contains(err.Error(), failed.Error()) {
		return err
	}
	return errors.Join(err, failed)
}

// over reports whether no further statement can succeed.
func over(ctx context.Context, se *session) bool { return ctx.Err() != nil || se.lost() }

func (s *LogStore) makePartitions(ctx context.Context, se *session) (err error) {
	if s.partitions.pauses() {
		return nil
	}
	var today string
	var without []string
	made := 0
	defer func() {
		if made > 0 {
			s.cfg.Logger.InfoContext(ctx, "partitions of event_outbox created", slog.Int("partitions", made))
		}
		if added := s.partitions.news(today, without); len(added) > 0 {
			s.cfg.Logger.WarnContext(ctx, "days get no partition of event_outbox, because event_outbox_other has rows of them, or is large and the days are near; "+
				"their events go to event_outbox_other, and are deleted in batches, not with a partition",
				slog.String("partitions", strings.Join(added, ", ")), slog.String("store", s.where))
		}
	}()
	for ahead := range partitionDays + 1 {
		wait := s.partitions.makes.wait(s.server.cfg.StatementTimeout)
		did, failed := s.makePartition(ctx, se, ahead, wait)
		switch {
		case sqlstate.Code(failed) == sqlstate.Cancelled && ctx.Err() == nil:
			s.partitions.slowed()
			s.warnOnce(ctx, "no partitions of event_outbox created: event_outbox_other is so large that it cannot be searched for rows of a new day within the statement timeout, "+
				"retrying once an hour; events of days without a partition go to event_outbox_other",
				"remedy", "as the owner of the tables: SET statement_timeout = 0; ALTER TABLE event_outbox_other VALIDATE CONSTRAINT none_of_YYYYMMDD; \\d event_outbox_other shows its name")
			return err
		case failed != nil:
			if err = joined(err, failed); over(ctx, se) {
				return err
			}
			continue
		}
		partition := partitionOf(did.Day)
		if ahead == 0 {
			today = partition
		}
		if did.Locked && did.Outcome != partitionLocked {
			s.partitions.makes.got()
		}
		switch did.Outcome {
		case partitionMade:
			made++
		case partitionRows, partitionNear:
			without = append(without, partition)
		case partitionStranger:
			s.warnOnce(ctx, "a day gets no partition of event_outbox, because a table has the partition's name", "partition", partition,
				"remedy", "rename that table, or drop it")
		case partitionLocked:
			if calls, say := s.partitions.met(partition, did.Outcome); say {
				s.cfg.Logger.WarnContext(ctx, "partition of event_outbox not created, retrying: transactions that hold locks on event_outbox_other took longer than the relay waits for them",
					slog.String("partition", partition), slog.Int("attempts", calls), slog.Duration("waited", wait),
					slog.String("remedy", "end long transactions that read event_outbox, or write to event_outbox_other"))
			}
			s.partitions.makes.failed()
			return err // writers have waited behind the statement
		}
		s.partitions.passed(partition)
	}
	return err
}

// makePartition makes the partition of a day, in some steps if necessary.
func (s *LogStore) makePartition(ctx context.Context, se *session, ahead int, wait time.Duration) (did pgdb.MakePartitionRow, err error) {
	for range 4 {
		did, err = se.q.MakePartition(ctx, pgdb.MakePartitionParams{
			Ahead: int32(ahead), LockWait: milliseconds(wait),
		})
		if err != nil || did.Outcome != partitionAgain {
			break
		}
	}
	return did, err
}

func (s *LogStore) dropPartitions(ctx context.Context, se *session, keep time.Duration) error {
	days, err := se.q.OldPartitions(ctx, keep.Seconds())
	if err != nil {
		return err
	}
	s.partitions.inOrder(days)
	for _, day := range days {
		wait := s.partitions.drops.wait(s.server.cfg.StatementTimeout)
		did, failed := se.q.DropPartition(ctx, pgdb.DropPartitionParams{Day: day, KeepSeconds: keep.Seconds(), LockWait: milliseconds(wait)})
		if failed != nil {
			if err = joined(err, failed); over(ctx, se) {
				return err
			}
			continue
		}
		partition := partitionOf(day)
		why, stays := map[string]string{
			partitionLocked: fmt.Sprintf("transactions that hold locks on event_outbox, event_outbox_other or the partition took longer than the relay waits for them (%v); "+
				"end long ones, also reports", wait),
			partitionUnsettled: "the cursor is not past all of its events; see outboxrelay status",
			partitionWaiting:   "events of it wait; see outboxrelay status",
		}[did.Outcome]
		if !stays {
			s.partitions.passed(partition)
		} else if calls, say := s.partitions.met(partition, did.Outcome); say {
			s.cfg.Logger.WarnContext(ctx, "partition of event_outbox is older than the retention and not dropped, retrying",
				slog.String("partition", partition), slog.Int("attempts", calls), slog.String("reason", why))
		}
		if did.Locked && did.Outcome != partitionLocked {
			s.partitions.drops.got()
		}
		switch did.Outcome {
		case partitionDropped:
			s.cfg.Logger.InfoContext(ctx, "partition of event_outbox dropped", slog.String("partition", partition))
		case partitionLocked:
			s.partitions.drops.failed()
			return err // writers have waited behind the statement
		}
	}
	return err
}
