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
	return heldBack(held), nil
}

func heldBack(rows []admindb.HoldingBackRow) (out []HoldingBack) {
	for _, h := range rows {
		if text := withoutValues(h.Query); text != "" && h.Runs {
			h.Detail += ", it runs: " + text
		} else if text != "" {
			h.Detail += ", its last statement: " + text
		}
		out = append(out, HoldingBack{h.Kind, h.Name, h.Detail, h.Transactions, seconds(h.Seconds)})
	}
	return out
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

// Connector is a replication slot through which another program, such as Debezium, publishes
// the outbox.
type Connector struct {
	Slot        string
	Active      bool   // the program reads from it
	PID         int32  // of its session; 0: it is not active
	Application string // of its session
	Bytes       int64  // of WAL that the server keeps for it
	Lost        bool   // the server has removed WAL that the program has not read
	// Publishes is true if its publication is one for the inserts of this table only, as
	// docs/debezium.md creates it. Otherwise it is a Debezium that reads the table, and may do
	// something else with it.
	Publishes bool
}

// Connectors lists the connectors of the outbox, at most 10: those that `outboxgen export
// debezium` configures, and every Debezium that reads the table now.
func Connectors(ctx context.Context, db DB) ([]Connector, error) {
	rows, err := admindb.New(db).Connectors(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: look for connectors: %w", err)
	}
	var out []Connector
	for _, r := range rows {
		out = append(out, Connector{Slot: r.Slot, Active: r.Active, PID: r.Pid, Application: r.Application, Bytes: r.Bytes, Lost: r.Lost, Publishes: r.Publishes})
	}
	return out, nil
}

// LeafPublications returns the names of the publications that send the changes of a log under the
// names of its partitions, which a subscriber lacks from the next new partition on.
func LeafPublications(ctx context.Context, db DB) ([]string, error) {
	names, err := admindb.New(db).LeafPublications(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: look at publications: %w", err)
	}
	return names, nil
}

// Clock returns the time of the database.
func Clock(ctx context.Context, db DB) (time.Time, error) {
	now, err := admindb.New(db).Now(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("admin: read the clock: %w", err)
	}
	return now, nil
}
