package pgstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// pgSnapshot is a pg_snapshot taken apart. A transaction is visible in it when
// it has ended and its id is below xmin, or below xmax and not among open.
type pgSnapshot struct {
	xmin, xmax uint64
	open       []uint64 // ascending
}

// parseSnapshot reads the text form, xmin:xmax:open,open,…
func parseSnapshot(s relay.Snapshot) (pgSnapshot, error) {
	fail := func() (pgSnapshot, error) {
		return pgSnapshot{}, fmt.Errorf("%q is not a pg_snapshot (xmin:xmax:xip,…)", string(s))
	}
	parts := strings.Split(string(s), ":")
	if len(parts) != 3 {
		return fail()
	}
	var p pgSnapshot
	var err error
	if p.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return fail()
	}
	if p.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return fail()
	}
	for text := range strings.SplitSeq(parts[2], ",") {
		if text == "" {
			continue
		}
		id, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fail()
		}
		p.open = append(p.open, id)
	}
	slices.Sort(p.open)
	return p, nil
}

// closedBy lists the transactions that were open in p and no longer are in
// later.
func (p pgSnapshot) closedBy(later pgSnapshot) []uint64 {
	closed := make([]uint64, 0, len(p.open)) // not nil, which would be a NULL array
	for _, id := range p.open {
		if _, stillOpen := slices.BinarySearch(later.open, id); !stillOpen {
			closed = append(closed, id)
		}
	}
	return closed
}
