package relay_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// traps are known mistakes of outboxes, with the tests that show that this one does not
// make them: folder of the package from here, name of the test.
var traps = []struct {
	trap  string
	tests [][2]string
}{
	{"an outage burns the retries of every row and makes dead letters of the backlog",
		[][2]string{{".", "TestOutageCountsNothing"}}},
	{"each attempt builds the envelope anew, with a new event id",
		[][2]string{{".", "TestEveryAttemptIsTheSameRecord"}}},
	{"rows that failed stay at the head of the queue and block it",
		[][2]string{{".", "TestFailedRowsAtTheHeadBlockNothing"}}},
	{"the wake-up is sent before the commit, and the relay finds nothing",
		[][2]string{{"../../testdata/service/endtoend", "TestWakeUpComesAfterTheCommit"}}},
	{"rows are lost behind a gap in the sequence",
		[][2]string{{"pgstore", "TestALateCommitWithALowerSeqIsNotLost"}}},
	{"a watermark by the snapshot's xmin loses rows",
		[][2]string{{"pgstore", "TestATransactionOpenForLong"}, {"pgstore", "TestHistory"}}},
	{"the order of transaction ids, or of created_at, is not that of the commits",
		[][2]string{{"pgstore", "TestOrderIsThatOfTheLock"}, {"..", "TestSeqFollowsTheLockOrder"}}},
	{"several workers reorder a key",
		[][2]string{{".", "TestSeveralRelaysKeepTheOrder"}}},
	{"producing without bounds reorders a key after one batch failed",
		[][2]string{{"kafkasink", "TestClientAcceptsLaterRecordsAfterAFailedBatch"}, {".", "TestNoRowOvertakesAFailedBatch"}}},
	{"a missing topic stalls the others",
		[][2]string{{".", "TestMissingTopicStallsNoOther"}}},
	{"a transaction stays open while records are sent, and holds back vacuum",
		[][2]string{{".", "TestNoTransactionIsOpenWhileRecordsAreSent"}}},
	{"a session advisory lock is the lease: a frozen leader keeps it, and a pooler loses it",
		[][2]string{{".", "TestHandOver"}, {"pgstore", "TestTakeOverEndsAFrozenHolder"}, {"pgstore", "TestCheckFindsATransactionPooler"}}},
	{"delayed events are rows of the outbox, and each reader has to skip them",
		[][2]string{{"pgstore", "TestMoveDue"}, {".", "TestDelayedEventsAreNeverEarly"}}},
	{"each poll wades through dead row versions",
		[][2]string{{"pgstore", "TestATickDoesNotTouchDeadRows"}}},
	{"the index of the queue does not serve the order it is read in",
		[][2]string{{"pgstore", "TestPlansAreIndexScans"}}},
	{"NOTIFY inside the business transaction serialises the commits",
		[][2]string{{"../../testdata/service/endtoend", "TestNotifyStaysOutOfTheTransaction"}, {"../wake", "TestPostgresOneNotifyForAWindow"}}},
	{"one corrupt row halts everything",
		[][2]string{{".", "TestHeadersThatDoNotParse"}, {".", "TestTooLargeRowFailsAlone"}}},
	{"a hand-over delivers out of order",
		[][2]string{{".", "TestHandOver"}, {"../../cmd/outboxrelay", "TestHandOver"}}},
	{"the events of a savepoint that was rolled back are published",
		[][2]string{{"pgstore", "TestSavepointsCopyAndRollback"}, {"../../testdata/service/endtoend", "TestAtomicityBothWays"}}},
	{"LISTEN dies in silence behind a pooler",
		[][2]string{{"../wake", "TestPostgresTransactionPoolerIsNamed"}, {"../wake", "TestPostgresHalfOpen"}}},
	{"a dump that is restored sets transaction ids back, and a cursor skips rows",
		[][2]string{{".", "TestRestoreIntoANewCluster"}, {"pgstore", "TestRowsOfAnotherCluster"}}},
}

// Each trap has its tests under these names.
func TestTraps(t *testing.T) {
	t.Parallel()
	declared := map[string]map[string]bool{}
	for _, trap := range traps {
		t.Run(trap.trap, func(t *testing.T) {
			for _, test := range trap.tests {
				folder, name := test[0], test[1]
				if declared[folder] == nil {
					declared[folder] = testsIn(t, folder)
				}
				if !declared[folder][name] {
					t.Errorf("%s has no %s", folder, name)
				}
			}
		})
	}
}

// testsIn returns the names of the tests of a package.
func testsIn(t *testing.T, folder string) map[string]bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// forgetful loses the lease at the first settling, after everything was sent.
type forgetful struct {
	relay.Store
	settled atomic.Bool
}

func (f *forgetful) Settle(ctx context.Context, l relay.Lease, s relay.Settlement) error {
	if !f.settled.Swap(true) {
		return fmt.Errorf("the session was lost: %w", relay.ErrLeaseLost)
	}
	return f.Store.Settle(ctx, l, s)
}

// A row that is sent again is the same record, byte for byte, including its event id,
// by which consumers recognise it.
func TestEveryAttemptIsTheSameRecord(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	store := relay.NewMemStore()
	all := rows(50, topic, "k")
	for i := range all {
		all[i].Headers = fmt.Appendf(nil, `{"trace_id":"t%d","occurred_at":"2026-01-02T03:04:05Z"}`, i)
	}
	store.Add(all...)
	start(t, relay.Config{Store: &forgetful{Store: store}, Sink: kafkaSink(t, k.Brokers)}).w.publishes(t, len(all))
	records := consume(t, k.Brokers, 2*len(all), topic)
	same := cmpopts.IgnoreFields(kgo.Record{}, "Timestamp", "Offset", "Attrs", "LeaderEpoch", "ProducerID", "ProducerEpoch", "Context")
	for i, first := range records[:len(all)] {
		if d := cmp.Diff(first, records[len(all)+i], same, cmpopts.IgnoreUnexported(kgo.Record{})); d != "" {
			t.Fatalf("row %d, first attempt and second:\n%s", i, d)
		}
	}
}

// Hundreds of rows at the head of the queue wait for their next attempt. Rows of other
// keys after them are sent.
func TestFailedRowsAtTheHeadBlockNothing(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 2)
	store := relay.NewMemStore()
	bad := rows(300, topic, "")
	for i := range bad {
		bad[i].Key = key(fmt.Sprintf("bad%d", i))
		bad[i].Headers = []byte(`[]`)
	}
	store.Add(bad...)
	store.Add(rows(200, topic, "good")...)
	r := start(t, relay.Config{
		Store: store, Sink: kafkaSink(t, k.Brokers), PageRows: 10, BufferRows: 40, RetryMin: time.Hour, RetryMax: time.Hour,
	})
	r.w.publishes(t, 200)
	store.Add(rows(100, topic, "later")...)
	r.w.publishes(t, 300)
	got := map[string][]string{}
	for _, rec := range consume(t, k.Brokers, 300, topic) {
		got[string(rec.Key)] = append(got[string(rec.Key)], string(rec.Value))
	}
	if d := cmp.Diff(map[string][]string{"good": values(200), "later": values(100)}, got); d != "" {
		t.Errorf("the rows behind (-want +got):\n%s", d)
	}
}

// Three relays serve one outbox. The rows of a key keep their order, with every sender,
// even if the sender ends in the middle.
func TestSeveralRelaysKeepTheOrder(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "tally", 3)
	var relays []*running
	for range 3 {
		relays = append(relays, start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)}))
	}
	l := startLoad(t, pg.URL, topic)
	for _, r := range relays[:2] {
		l.commits(t, 300)
		r.stop()
	}
	l.commits(t, 300)
	l.end()
	settled(t, l.pool)
	if d := cmp.Diff(outcome{}, l.judge(t, k.Brokers)); d != "" {
		t.Errorf("what three relays did (-want +got):\n%s", d)
	}
}

// stuck is a sink whose first wave waits until the test lets it continue.
type stuck struct {
	relay.Sink
	sending chan struct{} // closed when a wave is under way
	letGo   chan struct{}
	once    sync.Once
}

type stuckProducer struct {
	relay.Producer
	s *stuck
}

func (s *stuck) Open(ctx context.Context) (relay.Producer, error) {
	p, err := s.Sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	return stuckProducer{p, s}, nil
}

func (p stuckProducer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	p.s.once.Do(func() {
		close(p.s.sending)
		select {
		case <-p.s.letGo:
		case <-ctx.Done():
		}
	})
	p.Producer.Send(ctx, wave, results)
}

// While records are on their way the relay's sessions are in no transaction, so
// that a slow broker does not keep Postgres from cleaning up.
func TestNoTransactionIsOpenWhileRecordsAreSent(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 3)
	insertRows(t, pg, topic, 0, 100, 5, 20)
	sink := &stuck{Sink: kafkaSink(t, k.Brokers), sending: make(chan struct{}), letGo: make(chan struct{})}
	r := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: sink})
	select {
	case <-sink.sending:
	case <-time.After(patience):
		t.Fatal("nothing is sent")
	}
	var began time.Time
	var beat int64
	err := pg.Pool.QueryRow(t.Context(), `SELECT clock_timestamp(), beat FROM event_outbox_lease`).Scan(&began, &beat)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, pg.Pool, `SELECT beat >= $1 FROM event_outbox_lease`, beat+2)
	var sessions, open int
	err = pg.Pool.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE xact_start <= $1) FROM pg_stat_activity
		WHERE application_name = 'outboxrelay' AND datname = current_database()`, began).Scan(&sessions, &open)
	if err != nil {
		t.Fatal(err)
	}
	close(sink.letGo)
	if sessions == 0 || open > 0 {
		t.Errorf("of %d sessions of the relay %d were in a transaction for the whole of a wave", sessions, open)
	}
	r.w.publishes(t, 100)
}
