package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// muchWAL is how much WAL of a replication slot is mentioned.
const muchWAL = 1 << 30

// lookCloser looks at what the facts do not have.
func (d *doctor) lookCloser(ctx context.Context, conn *pgx.Conn, f *admin.Facts) (err error) {
	if f.State.Moving, err = lookAgain(ctx, conn, f.State); err != nil {
		return err
	}
	slots, err := admin.RetainingWAL(ctx, conn, muchWAL)
	d.checkWAL(slots)
	d.checkSize(f.Tables)
	return err
}

const (
	// manyDead is from how many dead rows on a table is looked at.
	manyDead = 100_000
	// largeTable is from which size on a table is compared with its rows, and largeRow is the
	// size for each of them that no event has: Kafka takes about 1 MiB.
	largeTable, largeRow = 1 << 30, 2 << 20
)

// checkSize finds tables with many dead rows beside more live ones, and files that are much
// larger than their rows. checkTables finds tables with more dead rows than live ones.
func (d *doctor) checkSize(tables []admin.TableFacts) {
	for _, t := range tables {
		vacuumed := "vacuum has not run since the statistics began"
		if t.Vacuumed {
			vacuumed = fmt.Sprintf("vacuum ran %s ago", t.VacuumedAgo)
		}
		switch {
		case t.Dead > manyDead && t.Dead <= t.Live && t.Dead > t.Live/4:
			d.add(risky, "bloat", fmt.Sprintf("%s has %d dead rows for %d live ones, and %s; %s", t.Name, t.Dead, t.Live, megabytes(t.Bytes), vacuumed),
				"autovacuum does not keep up, and the table grows", fmt.Sprintf("VACUUM (ANALYZE) %s; if it removes none, look at the findings of vacuum", d.qualified(t.Name)))
		case t.Live > 0 && t.Dead <= manyDead && t.Bytes > largeTable && t.Bytes/t.Live > largeRow:
			d.add(risky, "bloat", fmt.Sprintf("%s has %s for %d live rows; %s", t.Name, megabytes(t.Bytes), t.Live, vacuumed),
				"the file keeps the space of deleted rows, and only new rows use it", "if the disk needs the space: VACUUM FULL "+d.qualified(t.Name)+
					" at a time when services may wait, with room for a second copy")
		}
	}
}

// checkWAL looks at WAL that replication slots retain: it can fill the disk.
func (d *doctor) checkWAL(slots []admin.RetainedWAL) {
	for _, s := range slots {
		state := "active"
		if !s.Active {
			state = "not active"
		}
		d.add(risky, "disk", fmt.Sprintf("the replication slot %s (%s) retains %s of WAL", s.Slot, state, megabytes(s.Bytes)),
			"if the disk of the server is full, services cannot write, and no event is inserted",
			fmt.Sprintf("let its consumer catch up, or limit it with max_slot_wal_keep_size; if the consumer is gone: SELECT pg_drop_replication_slot('%s')", strings.ReplaceAll(s.Slot, "'", "''")))
	}
	d.ok("disk", "no replication slot retains much WAL")
}
