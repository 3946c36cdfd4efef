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
	return err
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
