package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// VacuumHeldBack lists what keeps vacuum from removing rows for long, at most 10, as Examine
// does.
func VacuumHeldBack(ctx context.Context, db DB) ([]HoldingBack, error) {
	held, err := admindb.New(db).HoldingBack(ctx, admindb.HoldingBackParams{Transactions: manyTransactions, Seconds: int64(longOpen / time.Second)})
	if err != nil {
		return nil, fmt.Errorf("admin: look for what holds back vacuum: %w", err)
	}
	var out []HoldingBack
	for _, h := range held {
		out = append(out, HoldingBack{h.Kind, h.Name, h.Detail, h.Transactions, seconds(h.Seconds)})
	}
	return out, nil
}

// RetainedWAL is WAL that the server keeps for a replication slot.
type RetainedWAL struct {
	Slot   string
	Active bool // somebody reads from it
	Bytes  int64
}

// RetainingWAL lists the replication slots for which the server keeps at least this much WAL,
// at most 10.
func RetainingWAL(ctx context.Context, db DB, least int64) ([]RetainedWAL, error) {
	rows, err := admindb.New(db).RetainedWAL(ctx, least)
	if err != nil {
		return nil, fmt.Errorf("admin: look at replication slots: %w", err)
	}
	var out []RetainedWAL
	for _, r := range rows {
		out = append(out, RetainedWAL{r.Slot, r.Active, r.Bytes})
	}
	return out, nil
}

// Now returns the time of the database.
func Now(ctx context.Context, db DB) (time.Time, error) {
	now, err := admindb.New(db).Now(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("admin: read the clock: %w", err)
	}
	return now, nil
}
