package outbox

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// session is what a remedy needs to know about a connection. The zero value knows nothing.
type session struct {
	role string
	// writes is true if the server said that it accepts writes (from Postgres 14 on).
	writes bool
}

// sessionOf describes a connection, which may be nil.
func sessionOf(conn *pgx.Conn) session {
	if conn == nil {
		return session{}
	}
	pg := conn.PgConn()
	return session{
		role:   conn.Config().User,
		writes: pg.ParameterStatus("in_hot_standby") == "off" && pg.ParameterStatus("default_transaction_read_only") == "off",
	}
}

// remedy returns what to do when the database refused a statement of the session.
func remedy(err error, s session) string {
	to := "<the service's role>"
	if s.role != "" {
		to = pgx.Identifier{s.role}.Sanitize()
	}
	switch sqlstate.Code(err) {
	case sqlstate.UndefinedTable:
		if strings.Contains(sqlstate.Message(err), delayedTable) {
			return " (the table of delayed events is missing, or not in the search_path: apply the statements about " + delayedTable +
				" that `outboxgen migration` and `outboxgen migration --grants` print)"
		}
		return fmt.Sprintf(" (is the outbox table migrated? `outboxgen migration` prints it. Is search_path the schema it lives in? "+
			"Postgres skips a schema on which the role has no USAGE: GRANT USAGE ON SCHEMA <its schema> TO %s)", to)
	case sqlstate.UndefinedColumn:
		return " (the outbox table has an older shape: apply the upgrade that `outboxgen migration` prints)"
	case sqlstate.Denied:
		return denied(err, to)
	case sqlstate.UniqueViolation:
		if strings.Contains(sqlstate.Message(err), outboxTable+"_pkey") {
			return " (an id that was generated for an event is in the table already: " + errIDRepeats.Error() + ")"
		}
	case sqlstate.FailedTransaction:
		return " (an earlier statement of the transaction failed, and its error was not returned)"
	case sqlstate.ReadOnly:
		const remove = "the transaction is READ ONLY: remove this access mode from where it begins, or SET TRANSACTION READ ONLY"
		if s.writes {
			return " (" + remove + ")"
		}
		return " (the connection goes to a standby or to a read-only server; InTx closes it, and the pool " +
			"opens another: with several hosts in the DSN, target_session_attrs=read-write finds the primary. " +
			"Or " + remove + ")"
	}
	return ""
}

// denied returns the remedy for a missing privilege. Only the server's message says on
// which object it is missing.
func denied(err error, role string) string {
	message := sqlstate.Message(err)
	const afterSetRole = "; after SET ROLE, to the role that was set"
	switch {
	case sqlstate.RowPolicy(err):
		return fmt.Sprintf(" (a row-level security policy refuses the row: %s needs a policy FOR INSERT that lets the service's role pass)",
			tableIn(message))
	case strings.Contains(message, "for schema"):
		return fmt.Sprintf(" (GRANT USAGE ON SCHEMA %s TO %s%s)", deniedObject(message), role, afterSetRole)
	case strings.Contains(message, "for sequence"):
		return fmt.Sprintf(" (GRANT USAGE ON SEQUENCE %s TO %s%s)", deniedObject(message), role, afterSetRole)
	case strings.Contains(message, "for function"):
		return fmt.Sprintf(" (a default or a trigger of event_outbox calls the function: GRANT EXECUTE ON FUNCTION %s TO %s%s)",
			deniedObject(message), role, afterSetRole)
	case !strings.Contains(message, outboxTable) && strings.Contains(message, "for table"):
		return fmt.Sprintf(" (a trigger or a rule of event_outbox uses the table %s: grant the role the privileges that this needs, or make the "+
			"trigger's function SECURITY DEFINER)", deniedObject(message))
	}
	if tableIn(message) == delayedTable {
		return fmt.Sprintf(" (delayed events need INSERT, SELECT on the column id because of ON CONFLICT (id), and DELETE to be cancelled: "+
			"GRANT INSERT, SELECT (id), DELETE ON %s TO %s%s)", delayedTable, role, afterSetRole)
	}
	return fmt.Sprintf(" (the insert needs INSERT, and for an id of WithID SELECT on the column id because of its ON CONFLICT (id): "+
		"GRANT INSERT, SELECT (id) ON event_outbox TO %s%s)", role, afterSetRole)
}

// tableIn returns the table that the server's message is about.
func tableIn(message string) string {
	if strings.Contains(message, delayedTable) {
		return delayedTable
	}
	return outboxTable
}

// deniedObject returns the object's name at the end of the message.
func deniedObject(message string) string {
	return message[strings.LastIndexByte(message, ' ')+1:]
}

// refused returns an InsertError for events that were refused on a connection, which may be
// nil.
func refused(list []built, err error, conn *pgx.Conn) error {
	return &InsertError{
		EventType: list[0].Row.EventType, EventID: list[0].Row.ID, Events: len(list), Err: err, on: sessionOf(conn),
	}
}

// connOf returns the connection of a transaction if it has one.
func connOf(tx any) *pgx.Conn {
	if c, ok := tx.(interface{ Conn() *pgx.Conn }); ok {
		return c.Conn()
	}
	return nil
}
