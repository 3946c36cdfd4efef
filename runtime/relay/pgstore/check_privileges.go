package pgstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// privilege is one that a table use needs; column "" means the whole table.
type privilege struct{ name, column string }

func (u tableUse) privileges() []privilege {
	needed := []privilege{{"SELECT", ""}}
	if u.inserts && u.inserted == nil {
		needed = append(needed, privilege{"INSERT", ""})
	}
	for _, column := range u.inserted {
		needed = append(needed, privilege{"INSERT", column})
	}
	if u.updates && u.columns == nil {
		needed = append(needed, privilege{"UPDATE", ""})
	}
	for _, column := range u.columns {
		needed = append(needed, privilege{"UPDATE", column})
	}
	if u.deletes {
		needed = append(needed, privilege{"DELETE", ""})
	}
	return needed
}

// grant returns the statement that grants a role what a table use needs.
func (s *Store) grant(u tableUse, role string) string {
	var list []string
	for _, p := range u.privileges() {
		if p.column == "" {
			list = append(list, p.name)
		}
	}
	if u.inserted != nil {
		list = append(list, fmt.Sprintf("INSERT (%s)", strings.Join(u.inserted, ", ")))
	}
	if u.columns != nil {
		list = append(list, fmt.Sprintf("UPDATE (%s)", strings.Join(u.columns, ", ")))
	}
	return fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(list, ", "), s.relation(u.table), role)
}

func (s *Store) checkPrivileges(ctx context.Context, se *session, c *checked) error {
	var p pgdb.MissingPrivilegesParams
	for _, use := range s.shape.uses {
		for _, needed := range use.privileges() {
			p.Relations = append(p.Relations, c.oid(use.table))
			p.Columns = append(p.Columns, needed.column)
			p.Privileges = append(p.Privileges, needed.name)
		}
	}
	missing, err := se.q.MissingPrivileges(ctx, p)
	if err != nil || len(missing) == 0 {
		return err
	}
	var lacks, grants []string
	for _, use := range s.shape.uses {
		var names []string
		for _, m := range missing {
			if m.Relation == c.oid(use.table) && !slices.Contains(names, m.Privilege) {
				names = append(names, m.Privilege)
			}
		}
		if len(names) > 0 {
			lacks = append(lacks, strings.Join(names, ", ")+" on "+use.table)
			grants = append(grants, s.grant(use, c.role()))
		}
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("role %s lacks %s", c.server.RoleName, strings.Join(lacks, "; ")),
		Remedy:  strings.Join(grants, "; "),
	}
}

// checkWrites inserts and updates a lease row in a transaction that it rolls back:
// privileges do not show whether a trigger allows the change.
func (s *Store) checkWrites(ctx context.Context, se *session, _ *checked) error {
	if _, err := se.conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	name := "check " + uuid.NewString()
	inserted, err := se.q.TryLeaseInsert(ctx, name)
	var updated int64
	if err == nil {
		updated, err = se.q.TryLeaseUpdate(ctx, name)
	}
	if _, rollbackErr := se.conn.Exec(ctx, "ROLLBACK"); err == nil {
		err = rollbackErr
	}
	if err != nil {
		return fmt.Errorf("try to write to %s: %w", leaseTable, err)
	}
	if inserted != 1 || updated != 1 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("%s does not accept changes, although the role has the privileges: no relay can lead without the lease row", leaseTable),
			Remedy:  "look for a trigger on " + s.relation(leaseTable) + " that returns NULL, and drop it",
		}
	}
	return nil
}
