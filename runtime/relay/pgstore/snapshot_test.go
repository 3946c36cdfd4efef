package pgstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

func TestParseSnapshot(t *testing.T) {
	t.Parallel()
	for text, want := range map[relay.Snapshot]pgSnapshot{
		"10:20:":         {xmin: 10, xmax: 20, open: []uint64{}},
		"10:20:10,14,19": {xmin: 10, xmax: 20, open: []uint64{10, 14, 19}},
		"18446744073709551614:18446744073709551615:18446744073709551614": {
			xmin: 18446744073709551614, xmax: 18446744073709551615, open: []uint64{18446744073709551614},
		},
	} {
		got, err := parseSnapshot(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(pgSnapshot{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []relay.Snapshot{"", "1:2", "a:2:", "1:2:3,", "1:2:3:4", "-1:2:"} {
		if got, err := parseSnapshot(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestClosedBy(t *testing.T) {
	t.Parallel()
	earlier := pgSnapshot{xmin: 10, xmax: 20, open: []uint64{10, 14, 19}}
	later := pgSnapshot{xmin: 14, xmax: 30, open: []uint64{14, 25}}
	if diff := cmp.Diff([]uint64{10, 19}, earlier.closedBy(later)); diff != "" {
		t.Error(diff)
	}
	if got := later.closedBy(later); got == nil || len(got) != 0 {
		t.Errorf("nothing has closed, and the list is %#v", got)
	}
}
