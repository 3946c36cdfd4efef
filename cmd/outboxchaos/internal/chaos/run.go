package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// Result is the result of a run.
type Result struct {
	history.Verdict
	Seed   uint64
	Faults int64
	// Repeated and Missed count the effects of the consumer that happened twice, and
	// not at all.
	Repeated, Missed int64
	// Broken counts other violations: transactions whose writer learned the wrong
	// outcome, rows that are dead and should not be, records that are not valid events,
	// processes that ended without being asked to, data races.
	Broken int64
}

// OK reports whether every guarantee held.
func (r *Result) OK() bool { return r.Zero() && r.Repeated == 0 && r.Missed == 0 && r.Broken == 0 }

// Line returns the last line of a run's output.
func (r *Result) Line() string {
	return fmt.Sprintf("chaos: seed=%d faults=%d committed=%d consumed=%d lost=%d invented=%d reordered=%d corrupted=%d duplicated=%d unexplained=%d",
		r.Seed, r.Faults, r.Committed, r.Consumed, r.Lost, r.Invented, r.Reordered, r.Corrupted, r.Duplicated, r.Unexplained)
}

type run struct {
	Options
	*lab.Lab
	history  *history.History
	schedule *fault.Schedule
	began    time.Time
	fleeting atomic.Bool  // TopicFleeting may be written
	past     atomic.Int64 // of the ids of some events; see workload.Config
	former   former       // partitions of a log
	locks    locks

	mu       sync.Mutex
	readers  map[string]*reader
	lives    map[string]int // of topics
	problems []string
	faults   map[string]*count
}

// count says how often faults of a kind happened.
type count struct{ happened, missed int64 }

// Run runs the harness once.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	o = o.withDefaults()
	const stream = 2
	random := rand.New(rand.NewPCG(o.Seed, stream))
	modes := []pgstore.Mode{pgstore.Mark, pgstore.Delete}
	mode := modes[random.IntN(len(modes))]
	var rates [lab.Relays]float64
	for i := range rates {
		const skew = 0.07 // in each direction: together less than a sixth
		rates[i] = 1 - skew + 2*skew*random.Float64()
	}
	var keep time.Duration
	if o.Log {
		keep = logKeep
	}
	l, err := lab.New(ctx, lab.Config{
		Servers: o.Servers, Command: o.Command, Dir: o.Dir, Mode: mode, Log: o.Log, Keep: keep, ClockRates: rates, RulesOff: o.RulesOff,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r := &run{
		Options: o, Lab: l, history: history.New(), schedule: fault.New(o.Seed, Kinds(o.Log), o.Only...), began: time.Now(),
		readers: map[string]*reader{}, lives: map[string]int{},
		faults: map[string]*count{},
	}
	r.fleeting.Store(true)
	marked := string(mode)
	if o.Log {
		marked = "the cursor of a log"
	}
	o.Say("rows are marked by %s; the relays' clocks run at %.3f of the right speed; logs and journals are in %s", marked, rates, o.Dir)
	defer r.closeReaders()
	for _, topic := range workload.Topics() {
		if err := r.read(topic); err != nil {
			return nil, err
		}
	}
	if err := r.startAll(); err != nil {
		return nil, err
	}
	r.began = time.Now()
	if err := r.writeAndBreak(ctx, random); err != nil {
		return nil, err
	}
	if err := r.heal(ctx); err != nil {
		return nil, err
	}
	return r.judge(ctx)
}

// startAll starts the relays and the consumer, unless they run.
func (r *run) startAll() error {
	err := r.startRelays()
	return errors.Join(err, r.Consumer.Start())
}

func (r *run) startRelays() (err error) {
	for _, one := range r.Relays {
		err = errors.Join(err, one.Start())
	}
	return err
}

// say reports what happens, with the time.
func (r *run) say(format string, args ...any) {
	r.Say("%7.1fs  %s", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

func (r *run) problem(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, err.Error())
}

// read starts to read a topic, or the topic that was created again.
func (r *run) read(topic string) error {
	r.mu.Lock()
	old, life := r.readers[topic], r.lives[topic]
	r.lives[topic]++
	r.mu.Unlock()
	if old != nil {
		old.close()
	}
	next, err := startReader(r.Servers.Kafka.Brokers, topic, life, r.history, r.problem)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readers[topic] = next
	return nil
}

func (r *run) closeReaders() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.readers {
		one.close()
	}
	clear(r.readers)
}

// writeAndBreak runs the writers and the faults until the time is over.
func (r *run) writeAndBreak(ctx context.Context, random *rand.Rand) error {
	redis, err := rueidis.ParseURL(r.RedisURL)
	if err != nil {
		return err
	}
	waker := wake.RedisLazy(redis, workload.Service)
	defer waker.Close()
	quiet := slog.New(slog.DiscardHandler)
	ob := outbox.New(r.Lab.Writers, outbox.Options{Waker: waker, Logger: quiet})
	defer ob.Close()

	limited, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	var writers sync.WaitGroup
	for range r.Options.Writers {
		w := &workload.Writer{Config: workload.Config{
			Pool: r.Lab.Writers, Outbox: ob, History: r.history, Rand: rand.New(rand.NewPCG(random.Uint64(), random.Uint64())),
			Pause: r.Pause, Fleeting: &r.fleeting, Poison: !r.NoPoison, Past: &r.past,
		}}
		writers.Go(func() { w.Run(limited) })
	}
	writers.Go(func() { r.progress(limited) })
	var midway error
	if r.Midway != nil {
		writers.Go(func() {
			if wait.For(limited, r.Duration/2) {
				midway = r.Midway(ctx, r.Lab)
			}
		})
	}
	r.breakThings(limited)
	writers.Wait()
	return errors.Join(midway, ctx.Err())
}

// progress reports from time to time how far the run has come.
func (r *run) progress(ctx context.Context) {
	const every = 10 * time.Second
	for wait.For(ctx, every) {
		r.sayTally()
	}
}

func (r *run) sayTally() {
	t := r.history.Tally()
	r.say("committed %d, read %d of them in %d records", t.Committed, t.Read, t.Records)
}

// counted records that a fault happened, or that it had no target.
func (r *run) counted(k string, happened bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.faults[k]
	if c == nil {
		c = &count{}
		r.faults[k] = c
	}
	if happened {
		c.happened++
	} else {
		c.missed++
	}
}

// sayFaults reports how many faults of each kind happened, and returns the total.
func (r *run) sayFaults() (sum int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range slices.Sorted(maps.Keys(r.faults)) {
		c := r.faults[k]
		sum += c.happened
		missed := ""
		if c.missed > 0 {
			missed = fmt.Sprintf(", and %d had no effect", c.missed)
		}
		r.Say("%5d  %s%s", c.happened, k, missed)
	}
	return sum
}

// heal ends all faults, and waits until everything has arrived or there is no progress.
func (r *run) heal(ctx context.Context) error {
	r.say("no more faults; draining")
	if err := r.startAll(); err != nil {
		return err
	}
	if err := r.resolve(ctx); err != nil {
		return err
	}
	if err := r.drain(ctx, false); err != nil {
		return err
	}
	if err := r.fix(ctx); err != nil {
		return err
	}
	return r.drain(ctx, true)
}

// resolve asks the database which transactions are committed.
func (r *run) resolve(ctx context.Context) error {
	// A session whose connection was cut may still be working.
	if _, err := r.Pool.Exec(ctx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = $1", lab.WritersName); err != nil {
		return err
	}
	rows, err := r.Pool.Query(ctx, "SELECT id FROM chaos_tx")
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return err
	}
	committed := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		committed[id] = true
	}
	for _, id := range r.history.Resolve(committed) {
		r.problem(fmt.Errorf("the writer of transaction %s was told a wrong outcome", id))
	}
	return nil
}

// drain waits until everything is read. It waits for poison events only after they were
// fixed.
func (r *run) drain(ctx context.Context, poison bool) error {
	const pause = 200 * time.Millisecond
	var last int64
	moved := time.Now()
	return wait.Until(ctx, pause, func() (bool, error) {
		unread := r.history.Unread("", poison)
		unsettled, err := r.unsettled(ctx)
		if err != nil {
			return false, err
		}
		effects, err := r.count(ctx, "SELECT count(*) FROM chaos_effect")
		if err != nil {
			return false, err
		}
		waiting, err := r.unhandled(ctx, poison)
		if err != nil {
			return false, err
		}
		if now := r.history.Tally().Records + effects - unsettled; now != last {
			last, moved = now, time.Now()
		}
		if unread == 0 && unsettled == 0 && waiting == 0 {
			return true, nil
		}
		if time.Since(moved) <= r.Patience {
			return false, nil
		}
		r.say("no progress for %s: %d not read, %d rows without outcome, %d not handled by the consumer", r.Patience, unread, unsettled, waiting)
		return true, nil
	})
}

// unsettled counts the rows that are neither published nor dead.
func (r *run) unsettled(ctx context.Context) (int64, error) {
	if !r.InLog.Load() {
		return r.count(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NULL AND dead_at IS NULL")
	}
	state, err := admin.Inspect(ctx, r.Pool, "")
	return state.Pending, err
}

func (r *run) count(ctx context.Context, query string) (int64, error) {
	var n int64
	err := r.Pool.QueryRow(ctx, query).Scan(&n)
	return n, err
}

// unhandled counts committed events that the consumer should have handled.
func (r *run) unhandled(ctx context.Context, poison bool) (int64, error) {
	have, err := r.count(ctx, "SELECT count(DISTINCT event_id) FROM chaos_effect")
	return max(0, r.history.Expected(workload.TopicFleeting, poison)-have), err
}

// fix corrects the poison events and replays them. Rows that are dead and should not be
// stay dead, and count as lost.
func (r *run) fix(ctx context.Context) error {
	if err := r.RaiseLimits(ctx, workload.Topics()...); err != nil {
		return err
	}
	of := "event_outbox"
	if r.InLog.Load() {
		of = "event_outbox_failed"
	}
	rows, err := r.Pool.Query(ctx, "SELECT id, last_error FROM "+of+" WHERE dead_at IS NOT NULL")
	if err != nil {
		return err
	}
	dead, err := pgx.CollectRows(rows, pgx.RowToStructByPos[deadRow])
	if err != nil {
		return err
	}
	var replay []uuid.UUID
	for _, d := range dead {
		// A relay that is killed while it sends a row alone makes the row a suspect.
		if r.history.Poison(d.ID) || strings.Contains(d.LastError, "the relay died") {
			replay = append(replay, d.ID)
			continue
		}
		r.problem(fmt.Errorf("the row of event %s is dead but should not be: %s", d.ID, d.LastError))
	}
	if len(replay) == 0 {
		return nil
	}
	r.say("%d of %d dead rows are fixed and replayed", len(replay), len(dead))
	if _, err := r.Pool.Exec(ctx, "UPDATE "+of+" SET headers = NULL WHERE id = ANY($1) AND headers::text LIKE '%unreadable%'", replay); err != nil {
		return err
	}
	r.history.Spare(replay...)
	_, err = admin.Replay(ctx, r.Pool, admin.Filter{EventIDs: replay}, admin.Decision{Actor: "chaos", Reason: "fixed"})
	return err
}

type deadRow struct {
	ID        uuid.UUID
	LastError string
}

func (r *run) judge(ctx context.Context) (*Result, error) {
	r.sayTally()
	for _, p := range r.Relays {
		const limit = 20 * time.Second
		if !p.End(limit) {
			r.say("a relay did not end within %s", limit)
		}
	}
	r.closeReaders()
	journals, err := r.Journals()
	if err != nil {
		return nil, err
	}
	if r.Options.Log {
		if err := r.sayPartitions(ctx); err != nil {
			return nil, err
		}
	}
	result := &Result{Verdict: r.history.Judge(journals), Seed: r.Seed, Faults: r.sayFaults()}
	if result.Repeated, err = r.count(ctx, "SELECT count(*) - count(DISTINCT event_id) FROM chaos_effect"); err != nil {
		return nil, err
	}
	if result.Missed, err = r.unhandled(ctx, true); err != nil {
		return nil, err
	}
	crashes, err := r.Crashes()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, crashes...)
	result.Broken = int64(len(r.problems))
	for _, p := range append(r.problems, result.Problems...) {
		r.Say("%s", p)
	}
	if n, m := result.Repeated, result.Missed; n > 0 || m > 0 {
		r.Say("the consumer handled %d events twice and %d not at all", n, m)
	}
	return result, nil
}
