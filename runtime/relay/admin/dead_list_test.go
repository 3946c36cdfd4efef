package admin_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func seqsOfLetters(list []admin.DeadLetter) []int64 {
	var out []int64
	for _, l := range list {
		out = append(out, l.Seq)
	}
	return out
}

// Dead letters can be read in pages of any size, upwards and downwards.
func TestPagesOfDeadLetters(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 8, `UPDATE event_outbox SET dead_at = now(), last_error = 'too large' WHERE seq <> 4`)
	first := admin.Filter{EventType: "t1"} // seq 1, 3, 5, 7
	for _, c := range []struct {
		name string
		read func() ([]admin.DeadLetter, error)
		want []int64
	}{
		{"upwards", func() ([]admin.DeadLetter, error) {
			return admin.DeadLettersAfter(t.Context(), conn, admin.Filter{}, 2, 3)
		}, []int64{3, 5, 6}},
		{"downwards", func() ([]admin.DeadLetter, error) {
			return admin.DeadLettersBefore(t.Context(), conn, admin.Filter{}, math.MaxInt64, 3)
		}, []int64{8, 7, 6}},
		{"further down", func() ([]admin.DeadLetter, error) {
			return admin.DeadLettersBefore(t.Context(), conn, admin.Filter{}, 6, 3)
		}, []int64{5, 3, 2}},
		{"of a type", func() ([]admin.DeadLetter, error) { return admin.DeadLettersBefore(t.Context(), conn, first, 7, 10) }, []int64{5, 3, 1}},
		{"the end", func() ([]admin.DeadLetter, error) { return admin.DeadLettersBefore(t.Context(), conn, first, 1, 10) }, nil},
	} {
		got, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, seqsOfLetters(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	up, err := admin.DeadLettersAfter(t.Context(), conn, admin.Filter{}, 7, 1)
	if err != nil {
		t.Fatal(err)
	}
	down, err := admin.DeadLettersBefore(t.Context(), conn, admin.Filter{}, 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(up, down); diff != "" {
		t.Errorf("one letter, read upwards and downwards (-up +down):\n%s", diff)
	}
	for _, limit := range []int{0, -1, 1001} {
		if _, err := admin.DeadLettersBefore(t.Context(), conn, admin.Filter{}, 9, limit); err == nil || !strings.Contains(err.Error(), "a page has 1 to 1000") {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

// The earlier letters of a key are those of the same topic and key that are dead, come
// before a given one, and are not given.
func TestEarlierDeadLetters(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 9, `
		ALTER TABLE event_outbox ALTER COLUMN topic DROP NOT NULL; -- as in a table that was upgraded
		UPDATE event_outbox SET event_key = 'k', dead_at = now();
		UPDATE event_outbox SET topic = 'other' WHERE seq = 2;
		UPDATE event_outbox SET event_key = 'j' WHERE seq = 3;
		UPDATE event_outbox SET dead_at = NULL WHERE seq = 4;
		UPDATE event_outbox SET event_key = NULL WHERE seq IN (5, 8);
		UPDATE event_outbox SET event_key = '' WHERE seq = 9;
		UPDATE event_outbox SET topic = NULL, event_data = '{"topic": "topic"}' WHERE seq = 6`)
	given := func(seqs ...int) *admin.Chosen {
		var ids []uuid.UUID
		for _, seq := range seqs {
			ids = append(ids, id(seq))
		}
		letters, err := admin.DeadLetters(t.Context(), conn, admin.Filter{EventIDs: ids}, 0)
		if err != nil || len(letters) != len(seqs) {
			t.Fatalf("%d letters: %v", len(letters), err)
		}
		chosen := &admin.Chosen{}
		for _, l := range letters {
			chosen.Add(l)
		}
		return chosen
	}
	for _, c := range []struct {
		given []int
		want  []int64
	}{
		{[]int{7}, []int64{1, 6}},
		{[]int{6, 7}, []int64{1}},
		{[]int{1, 6, 7}, nil},
		{[]int{1}, nil},
		{[]int{2, 3, 5, 8, 9}, nil},
	} {
		earlier, err := admin.EarlierDead(t.Context(), conn, given(c.given...), 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, l := range earlier {
			got = append(got, l.Seq)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("before %v (-want +got):\n%s", c.given, diff)
		}
	}
	one, err := admin.EarlierDead(t.Context(), conn, given(7), 0, 1)
	if err != nil || len(one) != 1 || one[0].EventID != id(1) {
		t.Errorf("the first one: %+v, %v", one, err)
	}
	if none, err := admin.EarlierDead(t.Context(), conn, &admin.Chosen{}, 0, 10); err != nil || none != nil {
		t.Errorf("without letters: %v, %v", none, err)
	}
}

// The lease alone says who leads and what the leader knows.
func TestReadLeader(t *testing.T) {
	owner, conn := newOutbox(t)
	none, err := admin.ReadLeader(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(admin.Leader{}, none); diff != "" {
		t.Errorf("before the first relay (-want +got):\n%s", diff)
	}
	if _, err := owner.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder, state)
		VALUES (7, '00000000-0000-7000-8000-0000000000aa', '{"leader": true, "stats": {"pending": 12}}')`); err != nil {
		t.Fatal(err)
	}
	got, err := admin.ReadLeader(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	state, err := admin.Inspect(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	got.Silent, state.Leader.Silent = 0, 0
	if diff := cmp.Diff(state.Leader, got); diff != "" || got.State.Stats.Pending != 12 {
		t.Errorf("the leader (-Inspect +ReadLeader):\n%s", diff)
	}
	now, err := admin.Clock(t.Context(), conn)
	if err != nil || now.Sub(state.Now) < 0 || now.Sub(state.Now) > time.Minute {
		t.Errorf("the clock says %s after %s (%v)", now, state.Now, err)
	}
}
