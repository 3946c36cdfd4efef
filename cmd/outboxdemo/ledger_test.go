package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLedgerFindsEachFault(t *testing.T) {
	t.Parallel()
	const a, b = "batch-1", "batch-2"
	tests := []struct {
		name      string
		committed []change
		consumed  []change
		want      verdict
	}{
		{
			name:      "everything once and in order",
			committed: []change{{a, 1}, {b, 1}, {a, 2}},
			consumed:  []change{{b, 1}, {a, 1}, {a, 2}},
			want:      verdict{Inserted: 3, Consumed: 3},
		},
		{
			name:      "a repeat is counted and allowed",
			committed: []change{{a, 1}, {a, 2}},
			consumed:  []change{{a, 1}, {a, 1}, {a, 2}, {a, 1}, {a, 2}},
			want:      verdict{Inserted: 2, Consumed: 5, Duplicated: 3},
		},
		{
			name:      "lost",
			committed: []change{{a, 1}, {b, 1}},
			consumed:  []change{{a, 1}},
			want: verdict{Inserted: 2, Consumed: 1, Lost: 1,
				Problems: []string{"batch-2: change 1 was committed but never consumed"}},
		},
		{
			name:      "invented",
			committed: []change{{a, 1}},
			consumed:  []change{{a, 1}, {a, 2}},
			want: verdict{Inserted: 1, Consumed: 2, Invented: 1,
				Problems: []string{"batch-1: change 2 was consumed but never committed"}},
		},
		{
			name:      "out of order",
			committed: []change{{a, 1}, {a, 2}},
			consumed:  []change{{a, 2}, {a, 1}},
			want: verdict{Inserted: 2, Consumed: 2, OutOfOrder: 2, Problems: []string{
				"batch-1: change 2 came after change 0", "batch-1: change 1 came after change 2",
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			for _, c := range tt.committed {
				l.commit(c)
			}
			for _, c := range tt.consumed {
				l.consume(c)
			}
			if diff := cmp.Diff(tt.want, l.judge()); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}
