package inbox

import (
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// The privileges that the package needs on event_inbox.
const (
	claimPrivileges  = "INSERT, SELECT (consumer, event_id)"
	forgetPrivileges = "SELECT, DELETE"
)

// remedy returns what to do when the database refused a statement that needs the
// privileges and ran on db.
func remedy(err error, db any, privileges string) string {
	role := roleOf(db)
	switch sqlstate.Code(err) {
	case sqlstate.UndefinedTable, sqlstate.UndefinedColumn:
		return fmt.Sprintf(" (is the table event_inbox migrated? `outboxgen migration` prints it. Is search_path the schema it lives in, "+
			"and has the role USAGE on that? GRANT USAGE ON SCHEMA <its schema> TO %s)", role)
	case sqlstate.Denied:
		return fmt.Sprintf(" (GRANT %s ON event_inbox TO %s; after SET ROLE, to the role that was set; with row-level security a policy too)",
			privileges, role)
	case sqlstate.ReadOnly:
		return " (the connection goes to a standby or to a read-only server: with several hosts in the DSN, " +
			"target_session_attrs=read-write finds the primary. Or the transaction is READ ONLY: remove this access mode from where " +
			"it begins, or SET TRANSACTION READ ONLY)"
	}
	return ""
}

// roleOf returns the quoted name of the role that db connects as.
func roleOf(db any) string {
	var config *pgx.ConnConfig
	switch db := db.(type) {
	case interface{ Conn() *pgx.Conn }: // a transaction
		if conn := db.Conn(); conn != nil {
			config = conn.Config()
		}
	case *pgx.Conn:
		config = db.Config()
	case *pgxpool.Pool:
		config = db.Config().ConnConfig
	}
	if config == nil {
		return "<the consumer's role>"
	}
	return pgx.Identifier{config.User}.Sanitize()
}
