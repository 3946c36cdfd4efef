package pgstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// pgSnapshot is a parsed pg_snapshot. A transaction is visible in it if it has ended
// and its id is below xmin, or below xmax and not in open.
type pgSnapshot struct {
	xmin, xmax uint64
	open       []uint64 // ascending
}

// parseSnapshot reads the text form, xmin:xmax:open,open,…
func parseSnapshot(s relay.Snapshot) (pgSnapshot, error) {
	parts := strings.Split(string(s), ":")
	if len(parts) != 3 {
		return pgSnapshot{}, fmt.Errorf("%q is not a pg_snapshot (xmin:xmax:xip,…)", string(s))
	}
	ids := parts[:2]
	if parts[2] != "" {
		ids = append(ids, strings.Split(parts[2], ",")...)
	}
	numbers := make([]uint64, len(ids))
	for i, text := range ids {
		var err error
		if numbers[i], err = strconv.ParseUint(text, 10, 64); err != nil {
			return pgSnapshot{}, fmt.Errorf("%q is not a pg_snapshot: %w", string(s), err)
		}
	}
	p := pgSnapshot{xmin: numbers[0], xmax: numbers[1], open: numbers[2:]}
	slices.Sort(p.open)
	return p, nil
}

// closedBy returns the transactions that are open in p and not in later.
func (p pgSnapshot) closedBy(later pgSnapshot) []uint64 {
	closed := make([]uint64, 0, len(p.open)) // not nil, which would be a NULL array
	for _, id := range p.open {
		if _, stillOpen := slices.BinarySearch(later.open, id); !stillOpen {
			closed = append(closed, id)
		}
	}
	return closed
}

// ended reports whether a top-level transaction had ended when p was taken.
func (p pgSnapshot) ended(id uint64) bool {
	if id >= p.xmax {
		return false
	}
	_, open := slices.BinarySearch(p.open, id)
	return !open
}

// withEpoch returns the full id of a transaction from the time of p.
func (p pgSnapshot) withEpoch(id uint32) uint64 {
	distance := int32(id - uint32(p.xmax)) // ids wrap around
	return p.xmax + uint64(int64(distance))
}
