package admin_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// allDead has five dead events: 1, 2, 4 and 5 of one key, 3 of another one.
func allDead(t *testing.T) *logOutbox {
	l := newLog(t)
	insert(t, l.owner, 5, `UPDATE event_outbox SET event_key = 'k' WHERE seq <> 3`)
	l.read(t)
	var all relay.Settlement
	for seq := int64(1); seq <= 5; seq++ {
		all.Failed = append(all.Failed, relay.Failure{Seq: seq, Err: "error of a half: " + []string{"a", "b"}[seq/4], RetryCount: 1, Dead: true})
	}
	l.settle(t, all)
	return l
}

func TestPagesOfDeadLettersOfALog(t *testing.T) {
	l := allDead(t)
	page := func(letters []admin.DeadLetter, err error) []int64 {
		ok(t, err)
		return seqsOfLetters(letters)
	}
	first := admin.Filter{EventType: "t1"} // 1, 3, 5
	earlier := func(after int64, seqs ...int64) []int64 {
		chosen := &admin.Chosen{}
		for _, seq := range seqs {
			key := "k"
			if seq == 3 {
				key = "other"
			}
			chosen.Add(admin.DeadLetter{Seq: seq, Topic: "topic", Key: &key})
		}
		return page(admin.EarlierDead(t.Context(), l.operator, chosen, after, 100))
	}
	got := [][]int64{
		page(admin.DeadLettersAfter(t.Context(), l.operator, admin.Filter{}, 1, 2)),
		page(admin.DeadLettersBefore(t.Context(), l.operator, admin.Filter{}, math.MaxInt64, 2)),
		page(admin.DeadLettersBefore(t.Context(), l.operator, first, 5, 10)),
		page(admin.DeadLettersBefore(t.Context(), l.operator, first, 1, 10)),
		earlier(0, 2, 4),
		earlier(1, 5),
		earlier(0, 1, 3),
	}
	if diff := cmp.Diff([][]int64{{2, 3}, {5, 4}, {3, 1}, nil, {1}, {2, 4}, nil}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	var groups []string
	for _, by := range admin.DeadGroupings() {
		list, err := admin.CountDead(t.Context(), l.operator, admin.Filter{}, by)
		ok(t, err)
		for _, g := range list {
			groups = append(groups, fmt.Sprintf("%s %s: %d", by, g.Value, g.Rows))
		}
	}
	want := []string{"type t1: 3", "type t2: 2", "topic topic: 5", "error error of a half: a: 3", "error error of a half: b: 2"}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

// A replay that keeps the order of a key changes nothing if an earlier event of the key stays
// dead.
func TestReplayInOrderInALog(t *testing.T) {
	l := allDead(t)
	for _, step := range []struct {
		chosen  []uuid.UUID
		earlier []int64
		n       int
	}{
		{[]uuid.UUID{id(2), id(5)}, []int64{1, 4}, 0},
		{[]uuid.UUID{id(3)}, nil, 1},
		{[]uuid.UUID{id(1), id(2)}, nil, 2},
		{[]uuid.UUID{id(5)}, []int64{4}, 0},
		{[]uuid.UUID{id(4), id(5)}, nil, 2},
	} {
		n, err := admin.ReplayInOrder(t.Context(), l.operator, admin.Filter{EventIDs: step.chosen}, admin.Decision{Actor: "ann"})
		var earlier []int64
		if refused, is := errors.AsType[*admin.OrderError](err); is {
			earlier = seqsOfLetters(refused.Earlier)
		} else {
			ok(t, err)
		}
		if diff := cmp.Diff(step.earlier, earlier); diff != "" || n != step.n {
			t.Errorf("%v: replayed %d, want %d; earlier ones (-want +got):\n%s", step.chosen, n, step.n, diff)
		}
	}
	if may, err := admin.MayDecide(t.Context(), l.operator); !may || err != nil {
		t.Errorf("MayDecide: %t, %v; the operator has decided", may, err)
	}
	decisions, err := l.leader.Decisions(t.Context(), l.lease, nil)
	ok(t, err)
	var seqs []int64
	for _, d := range decisions {
		seqs = append(seqs, d.Seq)
	}
	if diff := cmp.Diff([]int64{3, 1, 2, 4, 5}, seqs); diff != "" {
		t.Errorf("the leader sees decisions (-want +got):\n%s", diff)
	}
}

// Newer events of a key are found as soon as they are published, also if the history does not show
// that yet.
func TestNewerRowsInALog(t *testing.T) {
	l := newLog(t)
	insert(t, l.owner, 6, `UPDATE event_outbox SET event_key = 'k' WHERE seq <> 6`)
	l.read(t)
	l.settle(t, relay.Settlement{Published: []int64{1, 3, 6}, Failed: []relay.Failure{{Seq: 2, Err: "invalid", RetryCount: 1, Dead: true}}})
	look := func(want admin.NewerRows) {
		t.Helper()
		letters, err := admin.DeadLetters(t.Context(), l.operator, admin.Filter{}, 0)
		ok(t, err)
		chosen := &admin.Chosen{}
		for _, letter := range letters {
			chosen.Add(letter)
		}
		got, err := admin.PublishedAfter(t.Context(), l.operator, chosen, time.Minute)
		ok(t, err)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(admin.Newer{}, "PublishedAt")); diff != "" {
			t.Errorf("newer rows (-want +got):\n%s", diff)
		}
	}
	newer := admin.Newer{Topic: "topic", Key: "k", DeadSeq: 2, Rows: 1, Seq: 3, EventID: id(3), EventType: "t1"}
	look(admin.NewerRows{Keys: []admin.Newer{newer}})
	l.settle(t, relay.Settlement{Published: []int64{4, 5}})
	l.noteTick(t)
	newer.Rows, newer.Seq, newer.EventID = 3, 5, id(5)
	look(admin.NewerRows{Keys: []admin.Newer{newer}})
	_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox WHERE seq = 5; INSERT INTO event_outbox_deleted (created_at) VALUES (now())`)
	ok(t, err)
	newer.Rows, newer.Seq, newer.EventID, newer.EventType = 2, 4, id(4), "t2"
	look(admin.NewerRows{Keys: []admin.Newer{newer}, Unknown: admin.Deleted})
}

// The oldest event of a topic that is not paused may be one that waits, failed, or is new.
func TestOldestOfALogBesidesPausedTopics(t *testing.T) {
	l := newLog(t)
	insert(t, l.owner, 4, `UPDATE event_outbox SET topic = 'topic' || seq`)
	l.read(t)
	l.settle(t, relay.Settlement{Published: []int64{1}, Failed: []relay.Failure{{Seq: 2, Err: "too large", RetryCount: 1, RetryIn: time.Hour}}})
	_, err := l.owner.Exec(t.Context(), `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT o.id, o.tx, o.seq, o.topic, o.event_key FROM event_outbox AS o WHERE o.seq = 1`)
	ok(t, err)
	ann := admin.Decision{Actor: "ann", Reason: "test"}
	for seq := int64(1); seq <= 5; seq++ {
		got, err := admin.Inspect(t.Context(), l.operator, "")
		ok(t, err)
		var unpaused int64
		if got.OldestUnpaused != nil {
			unpaused = got.OldestUnpaused.Seq
		}
		if got.Oldest == nil || got.Oldest.Seq != 1 || unpaused != seq%5 || got.Pending != 4 {
			t.Errorf("with %d topics paused the oldest of %d events is %+v, not paused is %d", seq-1, got.Pending, got.Oldest, unpaused)
		}
		if seq < 5 {
			ok(t, admin.Pause(t.Context(), l.operator, fmt.Sprintf("topic%d", seq), ann))
		}
	}
}

// A replay waits for a lock on event_outbox_failed, so its holder is found.
func TestBlockersOfALog(t *testing.T) {
	l := newLog(t)
	tx, err := l.owner.Begin(t.Context())
	ok(t, err)
	_, err = tx.Exec(t.Context(), `LOCK TABLE event_outbox_failed`)
	ok(t, err)
	got, err := admin.Blockers(t.Context(), l.operator, 0)
	ok(t, err)
	if len(got) != 1 || got[0].Table != "event_outbox_failed" || got[0].Waits {
		t.Errorf("blockers %+v", got)
	}
	ok(t, tx.Rollback(t.Context()))
}
