package relay

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// entries counts what is kept of the rows that hold keys.
type entries struct{ Keys, Rows, RowsOfKeys int }

func (w *waits) entries() entries {
	n := entries{Keys: len(w.keys.byKey), Rows: len(w.keys.byRow)}
	for _, s := range w.keys.byKey {
		n.RowsOfKeys += len(s.rows)
	}
	return n
}

// However many dead rows block a key, one is kept; those without a key block nothing.
func TestDeadRowsAreKeptByKey(t *testing.T) {
	t.Parallel()
	const rows, keys = 1_000_000, 10
	dead := make([]HeldRow, rows)
	for i := range dead {
		dead[i] = HeldRow{Seq: int64(i + 1), Topic: "orders", Dead: true}
		if i%2 == 0 {
			dead[i].Key = new(fmt.Sprint(i / 2 % keys))
		}
	}
	want := entries{Keys: keys, Rows: keys, RowsOfKeys: keys}
	q := newQueue(&Config{})
	w := &waits{q: &q, keys: newHeldKeys()}
	w.load(0, dead)
	if diff := cmp.Diff(want, w.entries()); diff != "" {
		t.Errorf("when the term begins (-want +got):\n%s", diff)
	}
	w.compare(dead)
	if diff := cmp.Diff(want, w.entries()); diff != "" {
		t.Errorf("after a look (-want +got):\n%s", diff)
	}
}

// A key waits until the last of its dead rows is discarded or replayed, in whatever order
// an operator does that, and whether the outbox lists all of them or the first.
func TestAKeyWaitsForAllItsDeadRows(t *testing.T) {
	t.Parallel()
	key := new("a")
	for name, list := range map[string]func([]HeldRow) []HeldRow{
		"all": func(rows []HeldRow) []HeldRow { return rows },
		"the first": func(rows []HeldRow) []HeldRow {
			if len(rows) == 0 {
				return nil
			}
			first := rows[0]
			first.Others = len(rows) > 1
			return []HeldRow{first}
		},
	} {
		for _, order := range [][]int64{{1, 2, 3}, {3, 2, 1}, {2, 1, 3}, {2, 3, 1}} {
			var dead []HeldRow
			for seq := range int64(3) {
				dead = append(dead, HeldRow{Seq: seq + 1, Topic: "orders", Key: key, Dead: true})
			}
			q := newQueue(&Config{})
			w := &waits{q: &q, keys: newHeldKeys()}
			w.load(0, list(dead))
			s := w.keys.byKey[keyOf("orders", key, 1)]
			for i, seq := range order {
				left := make([]HeldRow, 0, len(dead))
				for _, h := range dead {
					if h.Seq != seq {
						left = append(left, h)
					}
				}
				dead = left
				w.decided(Decision{ID: seq, Seq: seq, Topic: "orders", Key: key, Discarded: seq != 2})
				if s.state != waiting && len(dead) > 0 {
					t.Fatalf("%s, %v: the key goes on after %d of 3 decisions", name, order, i+1)
				}
				if s.look && w.changes == 0 {
					t.Fatalf("%s, %v: no look is planned", name, order)
				}
				w.compare(list(dead))
				if waits := s.state == waiting; waits != (len(dead) > 0) {
					t.Fatalf("%s, %v: after %d of 3 decisions and a look, the key waits: %v", name, order, i+1, waits)
				}
			}
		}
	}
}

// Two dead rows of a key are kept, as when an operator gave one of them this key while the
// other one failed. That there are more is not forgotten with the first of them.
func TestAKeyWithTwoDeadRowsInMemory(t *testing.T) {
	t.Parallel()
	key := new("a")
	q := newQueue(&Config{})
	w := &waits{q: &q, keys: newHeldKeys()}
	w.load(0, []HeldRow{{Seq: 1, Topic: "orders", Key: key, Dead: true, Others: true}})
	s := w.keys.byKey[keyOf("orders", key, 1)]
	w.holdRow(s, 5, &heldRow{settled: true, dead: true, blocked: true})
	for i, seq := range []int64{1, 5} {
		w.decided(Decision{ID: seq, Seq: seq, Topic: "orders", Key: key, Discarded: true})
		if s.state != waiting {
			t.Fatalf("the key goes on after %d decisions, and the outbox has another dead row", i+1)
		}
	}
	w.compare([]HeldRow{{Seq: 7, Topic: "orders", Key: key, Dead: true}})
	if s.state != waiting {
		t.Error("the key goes on before its last dead row")
	}
}

// Of many held keys, a status always lists those whose rows are the oldest.
func TestTheFirstHeldKeys(t *testing.T) {
	t.Parallel()
	keys := newHeldKeys()
	var want []HeldKey
	for seq := int64(1); seq <= 3*maxShown; seq++ {
		id := keyID{topic: "orders", seq: seq}
		s := &scope{key: id, rows: map[int64]*heldRow{}}
		keys.byKey[id] = s
		keys.hold(s, seq, &heldRow{settled: true})
		if seq <= maxShown {
			want = append(want, HeldKey{Topic: "orders", Seq: seq})
		}
	}
	if diff := cmp.Diff(want, keys.first(0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
