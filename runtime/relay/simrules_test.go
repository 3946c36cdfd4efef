package relay

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// rules are those of the protocol. Each is there for something: without it, the
// simulation finds the violation. Where the simulation plays the rule's part, or the
// outbox and the broker in memory do, they ask whether it is off; the relay's own code
// has no switches, and what is done to it instead is in simbreak_test.go.
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
// (TestPlansAreIndexScans, TestATickDoesNotTouchDeadRows); the low-water mark
// (TestTheMarkWaitsForWriters, TestTheMarkWaitsForAPreparedTransaction,
// TestTheMarkWaitsForTransactionsInPreparation, TestTheMarkOfAnotherSequence,
// TestARowWithAChosenSeq, TestMovingTheMarkBackIsRepeated); that its search ends and outlives
// the term (TestARoundOfTheSearchEnds); what Check refuses
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
var rules = slices.Concat(leaseRules, inLog(leaseRules), otherRules)

// simRule is a rule, and how the simulation finds what it prevents.
type simRule struct {
	rule    string     // also the name of its switch
	setting simOptions // what the schedules are like
	want    string     // the kinds of violation that may be found
}

func (r simRule) name() string {
	if r.setting.inLog {
		return r.rule + ", in a log"
	}
	return r.rule
}

// inLog returns rules with schedules of a log: there, what is written under the lease is
// another statement.
func inLog(rules []simRule) []simRule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].setting.inLog = true
	}
	return rules
}

var leaseRules = []simRule{
	{"the lease is taken before settling", simOptions{}, "unfenced"},
	{"the lease is locked while settling", simOptions{}, "unfenced"},
	{"the own deadline is obeyed", simOptions{}, "deadline or overlap"},
	{"the own deadline counts from before the asking", simOptions{}, "deadline or overlap"},
	{"a standby waits until the lease stands still", simOptions{}, "overlap"},
	{"a take-over is of the lease that was seen", simOptions{}, "overlap"},
	{"a renewal raises the beat", simOptions{}, "overlap"},
	{"the deadline is looked at right before sending", simOptions{}, "deadline or overlap"},
	{"the clock counts suspension", simOptions{}, "deadline or overlap"},
	{"the clock is never set", simOptions{}, "deadline or overlap"},
	{"a fenced producer ends the term", simOptions{}, "lost"},
	{"a clean end releases the lease", simOptions{}, "hand-over"},
	{"a take-over ends the sessions in its way", simOptions{hang: true}, "lost"},
	{"only the holder renews", simOptions{}, "unfenced"},

	{"the holder is in the lease's conditions", simOptions{forget: true}, "unfenced"},
	{"the epoch is in the lease's conditions", simOptions{named: true}, "unfenced"},
	{"epoch or holder are in the lease's conditions", simOptions{}, "unfenced or overlap"},
	{"the own deadline has a margin for clocks that err", simOptions{drift: true}, "overlap"},
}

var otherRules = []simRule{
	// Reading.
	{"a tick is what one snapshot shows over another", simOptions{}, "lost or reordered"},
	{"open transactions are part of a snapshot", simOptions{}, "lost or reordered"},
	{"pages are cut by seq", simOptions{}, "lost or reordered"},
	{"a row carries its top-level transaction", simOptions{}, "lost or reordered"},
	{"a term begins with everything unsettled", simOptions{}, "lost or reordered"},
	{"a row is on disk before it is sent", simOptions{async: true}, "invented"},

	{"rows without a tx belong to the backlog", simOptions{upgrade: true}, "lost"},
	{"memory is bounded by rows", simOptions{}, "memory"},
	{"memory is bounded by bytes", simOptions{wide: true}, "memory"},
	{"what a kill repeats is bounded", simOptions{}, "repeats"},
	{"a page is bounded by bytes", simOptions{wide: true}, "memory"},
	{"an identity hands out one number at a time", simOptions{table: cached}, "reordered"},
	{"an identity does not start over", simOptions{table: cycling}, "reordered"},
	{"an identity stands at the highest seq", simOptions{table: setBack}, "reordered"},

	// Waves.
	{"one wave is resolved before the next is sent", simOptions{}, "reordered or counted"},
	{"a wave has one batch for each partition", simOptions{}, "reordered"},
	{"a wave has a deadline", simOptions{sick: true}, "stalled"},
	{"batches follow what the topic takes", simOptions{wide: true}, "oversize"},
	{"a row goes to the partition that it names", simOptions{chosen: true}, "misplaced"},
	{"a closed client's records are not sent", simOptions{}, "lost or reordered"},
	{"records have the time of sending", simOptions{}, "lost"},
	{"rows that failed go before those that wait", simOptions{}, "reordered"},
	{"a partition that does not answer is set aside", simOptions{sick: true}, "stalled"},
	{"a topic that cannot be written pauses", simOptions{sick: true}, "stalled"},
	{"a topic without a usable partition pauses", simOptions{sick: true}, "stalled"},

	{"a term has a client of its own", simOptions{}, "lost"},
	{"the end of a wave's time closes the client", simOptions{sick: true}, "memory or counted"},
	{"rows of a missing topic stay off the client", simOptions{sick: true, stall: true}, "stalled or lost"},

	// Failures.
	{"the key of a failed row is held", simOptions{}, "reordered"},
	{"a dead row blocks its key where that is asked for", simOptions{policy: Block}, "reordered"},
	{"a new leader loads the held rows", simOptions{policy: Block}, "reordered"},
	{"a leader reads what operators decide", simOptions{}, "lost"},
	{"skipped rows are read again", simOptions{}, "lost or reordered"},
	{"skipped rows are read before later ones", simOptions{}, "reordered"},
	{"outages count against no row", simOptions{}, "counted"},
	{"topics and partitions count against no row", simOptions{}, "counted"},
	{"a row fails alone", simOptions{}, "counted"},
	{"a row that goes on failing is dead in the end", simOptions{}, "lost"},
	{"unclean ends raise a suspicion", simOptions{killer: true}, "lost"},
	{"a suspect is named before it is sent", simOptions{killer: true}, "lost"},

	{"rows with a topic that cannot be fail here", simOptions{names: true}, "lost"},
	{"rows that were edited are looked for", simOptions{edits: true}, "lost"},
	{"also while their topic waits", simOptions{sick: true, edits: true}, "lost or stalled"},
	{"only edits from before a look count", simOptions{edits: true, pairs: true}, "reordered"},
	{"what was settled meanwhile stays held", simOptions{policy: Block, edits: true}, "reordered"},
	{"a look shows what was read from the log", simOptions{edits: true, savepoints: true}, "reordered"},
	{"a topic is described again before it lacks a partition", simOptions{chosen: true, grow: true}, "counted"},
	{"rows with a partition that is missing fail here", simOptions{chosen: true}, "lost"},
	{"headers that do not parse fail here", simOptions{}, "corrupted"},
	{"rows of what waits are not kept", simOptions{}, "memory or lost"},
	{"a dead row frees its key where that is asked for", simOptions{}, "lost"},
	{"a suspect is sent alone", simOptions{killer: true}, "buried"},
	{"progress ends a suspicion", simOptions{killer: true}, "suspicion"},

	// Pauses of operators.
	{"a term begins with the pauses of operators", simOptions{pauses: true}, "disobeyed"},
	{"a renewal reports the pauses of operators", simOptions{pauses: true}, "disobeyed or lost"},
	{"a topic continues when its pause ends", simOptions{pauses: true}, "lost"},

	// Delayed events: the statement MoveDue of pgstore, which the simulation plays.
	{"a delayed event is not moved before its time", simOptions{delays: true}, "early"},
	{"a delayed event does not pass an earlier one of its key", simOptions{delays: true}, "reordered"},
	{"delayed events are moved in the order of their times", simOptions{delays: true}, "reordered"},
	{"a delayed event is deleted in the statement that inserts it", simOptions{delays: true}, "lost"},

	// The low-water mark.
	{"the mark stops at a row that is not settled", simOptions{}, "lost or reordered"},
	{"the mark waits for writers", simOptions{}, "lost or reordered"},
	{"the place of the sequence is read before the writers", simOptions{}, "lost or reordered"},
	{"rows that wait are read below the mark", simOptions{}, "lost or reordered"},
	{"a replayed row is in the index of rows that wait", simOptions{names: true}, "lost"},
	{"the mark of another sequence counts nothing", simOptions{table: remarked}, "lost or reordered"},
	{"the mark is moved under the lease", simOptions{}, "unfenced"},
	{"unsettled rows below the mark are searched", simOptions{forgot: true}, "lost"},
	{"what a search found is read", simOptions{forgot: true}, "lost"},
	{"no row is set aside during a look for edits", simOptions{edits: true, pairs: true}, "reordered"},

	// The log.
	{"the cursor stops at a row that is not settled", simOptions{inLog: true}, "lost or reordered"},
	{"a row that waits is noted when the cursor passes it", simOptions{inLog: true}, "lost or reordered"},
	{"a row that failed is copied when the cursor passes it", simOptions{inLog: true}, "lost or reordered"},
	{"a term begins with a snapshot of its own", simOptions{inLog: true}, "lost or reordered"},
	{"a place in a tick belongs to its snapshot", simOptions{inLog: true}, "lost or reordered"},
	{"what the former cursor has passed is read no more", simOptions{inLog: true}, "repeated"},
	{"the former place is kept until the term has reached it", simOptions{inLog: true}, "repeated"},
	{"the first snapshot is given until the backlog is read", simOptions{inLog: true}, "lost or reordered"},
	{"the cursor is read after the take-over", simOptions{inLog: true}, "repeated"},
	{"a write does nothing after a later one", simOptions{inLog: true}, "repeated or lost or reordered"},
	{"what is settled ahead belongs to the cursor", simOptions{inLog: true}, "repeated"},
	{"what is ahead of the cursor is read no more", simOptions{inLog: true}, "repeated"},
	{"after an unknown outcome nothing else is written", simOptions{inLog: true}, "repeated"},
	{"rows that wait long are set aside", simOptions{inLog: true, sick: true}, "stalled"},
	{"rows of a page that comes again are not set aside", simOptions{inLog: true}, "lost or reordered"},
	{"rows that were set aside are read again", simOptions{inLog: true}, "lost or reordered"},
	{"a new leader reads the rows that were set aside", simOptions{inLog: true}, "lost or reordered"},
	{"the open tick is read again too", simOptions{inLog: true}, "reordered"},
	{"a tick may be read again before it is read", simOptions{inLog: true}, "reordered"},
	{"what is read again is what the snapshot shows", simOptions{inLog: true, async: true}, "invented or reordered"},
	{"open transactions are part of a cursor's snapshot", simOptions{inLog: true}, "lost or reordered"},
	{"a partition is dropped when the base shows all of it", simOptions{inLog: true}, "lost"},
	{"a partition with rows that were set aside is not dropped", simOptions{inLog: true}, "lost"},
	{repairs, simOptions{inLog: true, replaces: true}, "lost or reordered or repeated"},
	{seenCounts, simOptions{inLog: true, replaces: true, async: true}, "reordered"},
	{unreachedRows, simOptions{inLog: true, replaces: true}, "reordered"},
	{olderRows, simOptions{inLog: true, replaces: true}, "reordered"},
	{middleRows, simOptions{inLog: true, replaces: true}, "reordered"},
	{entriesAreOfTx, simOptions{inLog: true, replaces: true}, "lost or reordered"},
	{formerBase, simOptions{inLog: true, replaces: true}, "lost or reordered"},
	{aheadDecided, simOptions{inLog: true, replaces: true}, "repeated"},
	{oneIsAhead, simOptions{inLog: true, replaces: true}, "lost or reordered"},
	{termOver, simOptions{inLog: true, replaces: true}, "lost or reordered or repeated"},
	{"the number of a settlement that may come again is not given to another row", simOptions{inLog: true, replaces: true}, "lost or reordered"},

	// Settling.
	{"a dead row is read no more", simOptions{}, "counted or lost or reordered"},
	{"retention spares what is not settled", simOptions{}, "lost or swept"},
	{"retention spares what is young", simOptions{}, "swept"},
	{"retention goes in small batches", simOptions{}, "swept"},
	{"only acknowledged rows are settled", simOptions{}, "lost or reordered"},
	{"a settlement without an answer is repeated", simOptions{}, "lost"},
}

// The schedule that found the violation last time is played first: a change of the relay
// or of the simulation may move it, and then it is looked for again, which takes minutes.
// With -sim.found what was found is kept.
func TestSimulationFindsWhatEachRulePrevents(t *testing.T) {
	const file = "testdata/simulation-found.json"
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var last map[string]uint64
	if err := json.Unmarshal(kept, &last); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	now := map[string]uint64{}
	t.Run("rules", func(t *testing.T) {
		for _, c := range rules {
			t.Run(c.name(), func(t *testing.T) {
				t.Parallel()
				o := c.setting
				o.without, o.seed = c.rule, last[c.name()]
				seed, v := o.seed, newSim(o).run()
				if v == nil && testing.Short() {
					t.Skipf("schedule %d finds nothing any more, and looking for another one takes long", seed)
				}
				if v == nil {
					o.seed = *simSeed
					seed, v = simulate(o, 20_000)
				}
				if v == nil {
					t.Fatalf("nothing found in 20,000 schedules; want %s", c.want)
				}
				t.Logf("found with schedule %d: %.200s", seed, v)
				if !strings.Contains(c.want, v.kind) {
					t.Errorf("found %s, want %s", v.kind, c.want)
				}
				mu.Lock()
				defer mu.Unlock()
				now[c.name()] = seed
			})
		}
	})
	if !*simFound || t.Failed() {
		return
	}
	found, err := json.MarshalIndent(now, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(found, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

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

// remarked has a mark that belongs to another sequence, as after TRUNCATE … RESTART
// IDENTITY.
func remarked(s *sim) { s.store.low.at, s.store.low.sequence = 1_000, 1 }

// cameAgain has the cursor of a log whose sequence was set back, and whose earlier rows are gone.
func cameAgain(s *sim) { s.store.log.floor, s.store.log.cursor.Ahead = 40, []int64{43, 44, 47} }

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
