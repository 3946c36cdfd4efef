package relay

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSchedules = flag.Int("sim.schedules", 4000, "random schedules that the simulation plays")
	simSeed      = flag.Uint64("sim.seed", 1, "seed of the first schedule")
	simOne       = flag.Bool("sim.one", false, "play the first schedule only, and print it")
)

// simulate plays schedules until one finds something.
func simulate(o simOptions, n int) (seed uint64, v *violation) {
	var next, foundAt atomic.Uint64
	var mu sync.Mutex
	next.Store(o.seed)
	foundAt.Store(^uint64(0))
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= o.seed+uint64(n) || seed > foundAt.Load() {
					return
				}
				one := o
				one.seed = seed
				if found := newSim(one).run(); found != nil {
					mu.Lock()
					if seed < foundAt.Load() {
						foundAt.Store(seed)
						v = found
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	return foundAt.Load(), v
}

// variants are the settings that schedules are played with.
func variants() map[string]simOptions {
	return map[string]simOptions{
		"park":                  {policy: Park},
		"block":                 {policy: Block},
		"killer":                {policy: Park, killer: true},
		"grow":                  {policy: Park, grow: true},
		"async":                 {policy: Park, async: true},
		"sick":                  {policy: Park, sick: true},
		"wide":                  {policy: Park, wide: true},
		"hang":                  {policy: Park, hang: true, upgrade: true},
		"forget":                {policy: Park, forget: true},
		"named":                 {policy: Park, named: true},
		"drift":                 {policy: Park, drift: true},
		"stall":                 {policy: Park, sick: true, stall: true},
		"names":                 {policy: Park, names: true},
		"edits":                 {policy: Park, edits: true, names: true, store: func(s *memStore) { s.savepoints = true }},
		"edits of two":          {policy: Park, edits: true, pairs: true},
		"edits of what blocks":  {policy: Block, edits: true},
		"edits of a sick topic": {policy: Park, edits: true, sick: true},
	}
}

func TestSimulationFindsNothing(t *testing.T) {
	for name, o := range variants() {
		t.Run(name, func(t *testing.T) {
			o.seed = *simSeed
			if *simOne {
				o.verbose = true
				s := newSim(o)
				v := s.run()
				for _, l := range s.log {
					fmt.Println(l)
				}
				t.Logf("%v", v)
				return
			}
			if seed, v := simulate(o, *simSchedules/len(variants())); v != nil {
				t.Fatalf("seed %d: %v\nplay it with: go test -run %s -sim.seed %d -sim.one", seed, v, t.Name(), seed)
			}
		})
	}
}

// A leader that looks for the row that kills it must not die under the name of
// another: in these schedules it sent rows while the lease row still named one
// that had been resolved, or had failed before it was sent.
func TestADeathIsPutDownToTheRowThatWasSent(t *testing.T) {
	for _, seed := range []uint64{1, 16} {
		if v := newSim(simOptions{policy: Park, killer: true, seed: seed}).run(); v != nil {
			t.Errorf("seed %d: %v", seed, v)
		}
	}
}

// Each rule of the protocol is there for something: without it, the simulation
// finds the violation.
//
// What depends on the database's own behaviour has a test against the database
// that fails without it. In package pgstore: FOR KEY SHARE rather than EXISTS
// (TestSettleWithExistsWouldCommitAfterTheTerm, TestSettleNeverCommitsAfterTheTerm,
// TestSettleWaitsForATakeOver), and that it does not hold up a renewal
// (TestRenewingDoesNotWaitForSettling); FOR UPDATE and lock_timeout in a take-over
// (TestTakeOverEndsAFrozenHolder) and which sessions it ends
// (TestTakeOverSparesAStranger); prepared transactions
// (TestAPreparedTransactionIsAnOpenOne); transaction ids of another cluster
// (TestRowsOfAnotherCluster); pages cut by seq (TestHistory); the write-ahead log
// on disk (TestFlushed); index plans whatever the statistics say
// (TestPlansAreIndexScans, TestATickDoesNotTouchDeadRows); what Check refuses
// (TestCheckNamesTheRemedy). Here: no transaction across a publish
// (TestNoTransactionIsOpenWhileRecordsAreSent); a topic that is missing stalls no
// other (TestMissingTopicStallsNoOther). In package kafkasink: every error's class
// (TestClassifyEveryKafkaError); nothing of a wave that was given up goes out with
// the next (TestWaveThatPassesItsDeadline).
//
// Epoch and holder stand in for each other as long as every term has both of its
// own. The holder alone tells terms apart when a fail-over forgets a take-over, so
// that the next gets the same epoch; the epoch alone does when an instance is
// configured to use one holder for all of its terms. What a client appends after it
// was given up only repeats rows, by the lemma of the package's documentation; it is
// closed because it would keep them, and a batch that failed would take down rows of
// the next wave.
func TestSimulationFindsWhatEachRulePrevents(t *testing.T) {
	block, sick := simOptions{policy: Block}, simOptions{sick: true}
	store := func(off func(*memStore)) simOptions { return simOptions{store: off} }
	core := func(off switches) simOptions { return simOptions{off: off} }
	without := func(rules simRules) simOptions { return simOptions{without: rules} }
	in := func(where, o simOptions) simOptions {
		o.policy, o.sick = where.policy, where.sick
		return o
	}
	killer := func(o simOptions) simOptions { o.killer = true; return o }
	wide := func(o simOptions) simOptions { o.wide = true; return o }
	unchecked := func(table func(*sim)) simOptions {
		return simOptions{table: table, store: func(s *memStore) { s.noCheck = true }}
	}
	for name, c := range map[string]struct {
		options simOptions
		want    string
	}{
		// The lease.
		"the lease is taken before settling":             {store(func(s *memStore) { s.settleUnfenced = true }), "unfenced"},
		"the lease is locked while settling":             {without(simRules{lock: true}), "unfenced"},
		"the own deadline is obeyed":                     {core(switches{noDeadline: true}), "deadline or overlap"},
		"the own deadline counts from before the asking": {without(simRules{askedFirst: true}), "deadline or overlap"},
		"a standby waits until the lease stands still":   {store(func(s *memStore) { s.takeUnseen = true }), "overlap"},
		"a take-over is of the lease that was seen":      {store(func(s *memStore) { s.takeAnyway = true }), "overlap"},
		"a renewal raises the beat":                      {store(func(s *memStore) { s.noBeat = true }), "overlap"},
		"the deadline is looked at right before sending": {without(simRules{lastLook: true}), "deadline or overlap"},
		"the clock counts suspension":                    {simOptions{clocks: stopped}, "deadline or overlap"},
		"the clock is never set":                         {simOptions{clocks: set}, "deadline or overlap"},
		"a fenced producer ends the term":                {without(simRules{fencing: true}), "lost"},
		"a clean end releases the lease":                 {store(func(s *memStore) { s.noRelease = true }), "hand-over"},
		"a take-over ends the sessions in its way":       {simOptions{hang: true, store: func(s *memStore) { s.noTerminate = true }}, "lost"},
		"only the holder renews":                         {store(func(s *memStore) { s.renewAnyway = true }), "unfenced"},

		"the holder is in the lease's conditions":           {simOptions{forget: true, store: func(s *memStore) { s.noHolder = true }}, "unfenced"},
		"the epoch is in the lease's conditions":            {simOptions{named: true, store: func(s *memStore) { s.noEpoch = true }}, "unfenced"},
		"epoch or holder are in the lease's conditions":     {store(func(s *memStore) { s.noEpoch, s.noHolder = true, true }), "unfenced or overlap"},
		"the own deadline has a margin for clocks that err": {simOptions{drift: true, config: func(c *Config) { c.TermMargin = 0 }}, "overlap"},

		// Reading.
		"a tick is what one snapshot shows over another": {store(func(s *memStore) { s.readBySeq = true }), "lost or reordered"},
		"open transactions are part of a snapshot":       {store(func(s *memStore) { s.readByXmin = true }), "lost or reordered"},
		"pages are cut by seq":                           {store(func(s *memStore) { s.pageByTx = true }), "lost or reordered"},
		"a row carries its top-level transaction":        {store(func(s *memStore) { s.stampSub = true }), "lost or reordered"},
		"a term begins with everything unsettled":        {store(func(s *memStore) { s.noBacklog = true }), "lost or reordered"},
		"a row is on disk before it is sent":             {simOptions{async: true, without: simRules{flushed: true}}, "invented"},

		"rows without a tx belong to the backlog":    {simOptions{upgrade: true, store: func(s *memStore) { s.noOldRows = true }}, "lost"},
		"memory is bounded by rows":                  {simOptions{config: func(c *Config) { c.BufferRows = 1 << 20 }}, "memory"},
		"memory is bounded by bytes":                 {wide(simOptions{config: func(c *Config) { c.BufferBytes, c.PageBytes = 1<<30, 1<<30 }}), "memory"},
		"what a kill repeats is bounded":             {simOptions{config: func(c *Config) { c.UnsettledRows = 1 << 20 }}, "repeats"},
		"a page is bounded by bytes":                 {wide(store(func(s *memStore) { s.noPageBytes = true })), "memory"},
		"an identity hands out one number at a time": {unchecked(cached), "reordered"},
		"an identity does not start over":            {unchecked(cycling), "reordered"},
		"an identity stands at the highest seq":      {unchecked(setBack), "reordered"},

		// Waves.
		"one wave is resolved before the next is sent":  {core(switches{unboundedProduce: true}), "reordered or counted"},
		"a wave has one batch for each partition":       {core(switches{twoBatches: true}), "reordered"},
		"a wave has a deadline":                         {in(sick, without(simRules{waveTime: true})), "stalled"},
		"batches follow what the topic takes":           {wide(without(simRules{limits: true})), "oversize"},
		"a closed client's records are not sent":        {without(simRules{promises: true}), "lost or reordered"},
		"records have the time of sending":              {without(simRules{timestamps: true}), "lost"},
		"rows that failed go before those that wait":    {core(switches{requeueLast: true}), "reordered"},
		"a partition that does not answer is set aside": {in(sick, without(simRules{settingAside: true})), "stalled"},
		"a topic that cannot be written pauses":         {in(sick, without(simRules{pausing: true})), "stalled"},
		"a topic without a usable partition pauses":     {in(sick, core(switches{noFallback: true})), "stalled"},

		"a term has a client of its own":              {without(simRules{ownClient: true}), "lost"},
		"the end of a wave's time closes the client":  {in(sick, without(simRules{closing: true})), "memory or counted"},
		"rows of a missing topic stay off the client": {simOptions{sick: true, stall: true, without: simRules{topics: true}}, "stalled or lost"},

		// Failures.
		"the key of a failed row is held":                   {core(switches{noHold: true}), "reordered"},
		"a dead row blocks its key where that is asked for": {in(block, simOptions{config: func(c *Config) { c.OnDead = Park }}), "reordered"},
		"a new leader loads the held rows":                  {in(block, store(func(s *memStore) { s.noHeld = true })), "reordered"},
		"a leader reads what operators decide":              {store(func(s *memStore) { s.noDecisions = true }), "lost"},
		"skipped rows are read again":                       {core(switches{noReadAgain: true}), "lost or reordered"},
		"skipped rows are read before later ones":           {core(switches{earlyRelease: true}), "reordered"},
		"outages count against no row":                      {core(switches{countOutage: true}), "counted"},
		"topics and partitions count against no row":        {without(simRules{uncounted: true}), "counted"},
		"a row fails alone":                                 {core(switches{noHalving: true}), "counted"},
		"a row that goes on failing is dead in the end":     {simOptions{config: func(c *Config) { c.MaxAttempts = 1 << 30 }}, "lost"},
		"unclean ends raise a suspicion":                    {simOptions{killer: true, store: func(s *memStore) { s.noUncleanEnds = true }}, "lost"},
		"a suspect is named before it is sent":              {simOptions{killer: true, store: func(s *memStore) { s.noSuspect = true }}, "lost"},

		"rows with a topic that cannot be fail here":          {simOptions{names: true, off: switches{anyName: true}, without: simRules{naming: true}}, "lost"},
		"rows that were edited are looked for":                {simOptions{edits: true, off: switches{noEdits: true}}, "lost"},
		"also while their topic waits":                        {simOptions{edits: true, sick: true, off: switches{noEdits: true}}, "lost or stalled"},
		"only edits from before a look count":                 {simOptions{edits: true, pairs: true, store: func(s *memStore) { s.anyEdit = true }}, "reordered"},
		"what was settled meanwhile stays held":               {simOptions{edits: true, policy: Block, off: switches{noFresh: true}}, "reordered"},
		"a look shows what was read from the log":             {simOptions{edits: true, off: switches{editsAhead: true}, store: func(s *memStore) { s.savepoints = true }}, "reordered"},
		"headers that do not parse fail here":                 {without(simRules{parsing: true}), "corrupted"},
		"rows of what waits are not kept":                     {core(switches{keepSkipped: true}), "memory or lost"},
		"a dead row releases its key where that is asked for": {simOptions{config: func(c *Config) { c.OnDead = Block }}, "lost"},
		"a suspect is sent alone":                             {killer(core(switches{notAlone: true})), "buried"},
		"progress ends a suspicion":                           {killer(store(func(s *memStore) { s.noProgress = true })), "suspicion"},

		// Settling.
		"a dead row is read no more":                 {store(func(s *memStore) { s.readDead = true }), "counted or lost or reordered"},
		"retention spares what is not settled":       {store(func(s *memStore) { s.sweepUnsettled = true }), "lost"},
		"retention spares what is young":             {store(func(s *memStore) { s.sweepYoung = true }), "swept"},
		"retention goes in small batches":            {store(func(s *memStore) { s.sweepAll = true }), "swept"},
		"only acknowledged rows are settled":         {without(simRules{acked: true}), "lost or reordered"},
		"a settlement without an answer is repeated": {without(simRules{asking: true}), "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.seed = *simSeed
			seed, v := simulate(c.options, 20_000)
			if v == nil {
				t.Fatalf("nothing found in 20,000 schedules; want %s", c.want)
			}
			t.Logf("found with schedule %d: %.200s", seed, v)
			if !strings.Contains(c.want, v.kind) {
				t.Errorf("found %s, want %s", v.kind, c.want)
			}
		})
	}
}

// Clocks that break a rule: what they lose while their relay is frozen.
func stopped(_ *simRelay, frozen time.Duration) time.Duration { return frozen }
func set(*simRelay, time.Duration) time.Duration              { return 10 * time.Second }

// Identities that cannot order rows; Check refuses them.
func cached(s *sim) {
	s.store.cache = 5
	s.store.checkErr = errIdentity
}

func cycling(s *sim) {
	s.store.lastSeq, s.store.highest = 1_000, 1_006
	s.store.checkErr = errIdentity
}

func setBack(s *sim) {
	tx := s.store.begin()
	key := "k0"
	row := s.store.insert(tx, Row{Seq: 1_000, Topic: "a", Key: &key, EventType: "t", Data: []byte("x")})
	s.store.end(tx, true)
	s.keyRows[rowKey(row)] = append(s.keyRows[rowKey(row)], row)
	s.store.checkErr = errIdentity
}

var errIdentity = &SetupError{Problem: "the identity cannot order rows", Remedy: "fix it"}

// What Check refuses is not relayed at all.
func TestSimulationRefusesWhatCannotOrder(t *testing.T) {
	for _, table := range []func(*sim){cached, cycling, setBack} {
		s := newSim(simOptions{seed: *simSeed, table: table})
		if v := s.run(); v != nil || !s.refused || s.store.lease.Epoch != 0 {
			t.Errorf("found %v, refused %v, epoch %d; want a refusal before the first term", v, s.refused, s.store.lease.Epoch)
		}
	}
}
