package storeadmin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/migrations"
)

// prepare looks whether the move is possible.
func (m *move) prepare() error {
	is, err := actAsOwner(m.ctx, m.tx, m.q, m.c.LockTimeout)
	switch {
	case err != nil:
		return err
	case is.IsLog == (m.to == migrations.StoreLog):
		return ErrSameStore
	case !is.Marked:
		return errors.New("event_outbox_lease has no low_water: apply what `outboxgen migration --indexes` prints, or --upgrade for an older outbox")
	}
	if err := m.kept(is.Unsearched > 0); err != nil {
		return err
	}
	schema, err := m.q.Schema(m.ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look at the schema: %w", err)
	case !schema.MayCreate:
		return fmt.Errorf("the owner of event_outbox may not create tables in its schema: GRANT CREATE ON SCHEMA %s TO %s", schema.Name, schema.Role)
	}
	if err := m.obstacles(); err != nil {
		return err
	}
	if is.IsLog { // look before writers wait
		_, err = m.cursor()
	}
	return err
}

// kept returns an error if there is something left of an earlier move, with what to do about it.
func (m *move) kept(unsearched bool) error {
	kept, err := m.q.Kept(m.ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for what is left of an earlier move: %w", err)
	case len(kept) == 0:
		return nil
	case unsearched:
		return fmt.Errorf("%w: its search for events is not done: run `outboxrelay store migrate --to log` again first", ErrBefore)
	}
	var views, tables, moves []string
	for _, k := range kept {
		switch {
		case k.IsView:
			views = append(views, "DROP VIEW "+k.Name+"; ")
			moves = append(moves, "ALTER VIEW "+k.Name+" SET SCHEMA archive")
			continue
		case !k.IsPartition:
			tables = append(tables, k.Name)
		}
		moves = append(moves, "ALTER TABLE "+k.Name+" SET SCHEMA archive")
	}
	drop := strings.Join(views, "")
	if len(tables) > 0 {
		drop += "DROP TABLE " + strings.Join(tables, ", ")
	}
	return fmt.Errorf("%w: if their events are not needed any more: %s; or keep them in another schema, with another name than archive if that has such tables already: "+
		"CREATE SCHEMA IF NOT EXISTS archive; %s", ErrBefore, strings.TrimSuffix(drop, "; "), strings.Join(moves, "; "))
}

// obstacles returns an error if something would be lost, or if inserts would fail afterwards.
func (m *move) obstacles() error {
	obstacles, err := m.q.Obstacles(m.ctx)
	if err != nil {
		return fmt.Errorf("look at what belongs to event_outbox: %w", err)
	}
	nullable, err := m.q.Nullable(m.ctx)
	if err != nil {
		return fmt.Errorf("look at the columns of event_outbox: %w", err)
	}
	var texts []string
	if len(obstacles) > 0 {
		texts = append(texts, fmt.Sprintf("event_outbox has %s, which the new one or its subscribers would lack: drop it before the move, and create it again afterwards",
			strings.Join(obstacles, ", ")))
	}
	for _, column := range nullable {
		fails := "that leave it out or give null"
		if column == "created_at" { // it has a default
			fails = "that give null"
		}
		texts = append(texts, fmt.Sprintf("the column %[1]s of event_outbox may be null, and that of the new one may not, so inserts of writers %[2]s would fail: "+
			"when none does so any more, and all events where it is null are published, ALTER TABLE event_outbox ADD CHECK (%[1]s IS NOT NULL) NOT VALID; "+
			"this takes a moment, reads no rows, and refuses updates of rows where it is null", column, fails))
	}
	if len(texts) > 0 {
		return fmt.Errorf("%s", strings.Join(texts, "; "))
	}
	return nil
}
