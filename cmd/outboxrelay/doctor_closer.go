package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// muchWAL is how much WAL of a replication slot is mentioned.
const muchWAL = 1 << 30

// lookCloser looks at what the facts do not have.
func (d *doctor) lookCloser(ctx context.Context, conn *pgx.Conn, f *admin.Facts) (err error) {
	if f.State.Moving, err = lookAgain(ctx, conn, f.State); err != nil {
		return err
	}
	connectors, err := admin.Connectors(ctx, conn)
	if err != nil {
		return err
	}
	d.checkConnectors(connectors, f.State)
	publications, err := admin.LeafPublications(ctx, conn)
	if err != nil {
		return err
	}
	d.checkPublications(publications)
	slots, err := admin.RetainingWAL(ctx, conn, muchWAL)
	if err != nil {
		return err
	}
	d.checkWAL(slots, connectors)
	d.checkSize(f.Tables)
	return nil
}

// checkPublications looks at publications whose subscribers lack each new partition of a log.
func (d *doctor) checkPublications(ofLeaves []string) {
	for _, name := range ofLeaves {
		d.add(risky, "replication", fmt.Sprintf("the publication %s sends the events of a log under the names of its partitions", name),
			"subscribers lack the partition of the next new day: then the whole subscription stops, for all its tables, and its slot retains WAL",
			fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = true); before that, read docs/running.md, section Publications of a log: "+
				"subscribers have to copy event_outbox again", pgx.Identifier{name}.Sanitize()))
	}
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

// fixOfSlot says what to do about a replication slot that its consumer does not advance. A
// consumer that is only stopped, such as a connector of Debezium whose task has failed, needs
// the slot.
func fixOfSlot(name string) string {
	return fmt.Sprintf("start its consumer and let it catch up. Do not drop the slot, or limit it with max_slot_wal_keep_size, "+
		"unless the owner of the consumer says so: what it has not read is lost, which are events if it is Debezium "+
		"(docs/debezium.md). Only if the consumer is gone for good: SELECT pg_drop_replication_slot('%s')", strings.ReplaceAll(name, "'", "''"))
}

// checkWAL looks at WAL that replication slots retain: it can fill the disk. Connectors that do
// not run have a finding of their own.
func (d *doctor) checkWAL(slots []admin.RetainedWAL, connectors []admin.Connector) {
	idle := 0
	for _, c := range connectors {
		if !c.Active {
			idle++
		}
	}
	for _, s := range slots {
		if slices.ContainsFunc(connectors, func(c admin.Connector) bool { return c.Slot == s.Slot && !c.Active }) {
			continue
		}
		state := "active"
		if !s.Active {
			state = "not active"
		}
		d.addIncident(runbook.DiskFull, risky, "disk", fmt.Sprintf("the replication slot %s (%s) retains %s of WAL", s.Slot, state, megabytes(s.Bytes)),
			"if the disk of the server is full, services cannot write, and no event is inserted",
			fixOfSlot(s.Slot))
	}
	if idle == 0 {
		d.ok("disk", "no replication slot retains much WAL")
	}
}
