package outboxtest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// StoredRow is a row of event_outbox, or of event_outbox_delayed. If event_outbox is a log,
// PublishedAt, DeadAt, RetryCount and LastError are from the view event_outbox_history, where a
// published row may look pending for about a second.
type StoredRow struct {
	Seq           int64 // 0 for a delayed event that waits
	ID            uuid.UUID
	AggregateType string
	AggregateID   string
	EventType     string
	Topic         string
	Key           *string
	Partition     *int32 // nil: the one that the key gives
	Data          []byte // the envelope, byte for byte; nil: a tombstone
	Headers       []byte // a JSON object of strings; nil: none
	CreatedAt     time.Time
	PublishedAt   *time.Time
	DeadAt        *time.Time
	RetryCount    int
	LastError     *string
	// DeliverAt is the time for which a delayed event waits; nil: it does not wait.
	DeliverAt *time.Time
}

const selectRows = `select seq, id, aggregate_type, aggregate_id, event_type, coalesce(topic, ''), event_key, event_data::text, headers::text,
	created_at, published_at, dead_at, retry_count, last_error, partition, null::timestamptz as deliver_at from `

// fromLog leaves out what an operator discarded, because a discarded row of a table is deleted.
const (
	fromTable = `event_outbox`
	fromLog   = `(select * from event_outbox_history where state <> 'discarded') as event_outbox`
)

// isLog finds the view that belongs to event_outbox.
const isLog = `select exists (select from pg_catalog.pg_class as o join pg_catalog.pg_class as h on h.relnamespace = o.relnamespace
	where o.oid = to_regclass('event_outbox')::oid and h.oid = to_regclass('event_outbox_history')::oid)`

const selectDelayed = `select 0::bigint as seq, id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data::text, headers::text,
	created_at, null::timestamptz, null::timestamptz, 0, null::text, partition, deliver_at from event_outbox_delayed`

// queryTime limits a query of the table.
const queryTime = time.Minute

// Pending returns the rows that the relay still has to publish, in order. It does not
// include dead rows and delayed events. db is a pool, a connection, or a transaction that
// sees the rows. An error ends the test.
func Pending(t testing.TB, db outbox.DBTX) []StoredRow {
	t.Helper()
	return rows(t, db, selectInserted(t, db)+` where published_at is null and dead_at is null order by seq`)
}

// Delayed returns the delayed events that wait, in the order in which they will be
// published. db is as for Pending.
func Delayed(t testing.TB, db outbox.DBTX) []StoredRow {
	t.Helper()
	return rows(t, db, selectDelayed+` order by deliver_at, event_outbox_delayed.seq`)
}

// RequireInserted returns the only row of the event type, published, pending or delayed.
// It ignores tombstones. It ends the test if there is none or more than one. Events on a
// *outbox.Tx are in the table only after its commit, so call it outside the transaction.
// With database/sql pass outboxsql.DB(db), or outboxsql.On(tx) to read in tx.
func RequireInserted(t testing.TB, db outbox.DBTX, eventType string) StoredRow {
	t.Helper()
	return only(t, db, "one row", ` and event_data is not null`, eventType)
}

// RequireTombstone returns the only tombstone of the event type, as RequireInserted does
// for events.
func RequireTombstone(t testing.TB, db outbox.DBTX, eventType string) StoredRow {
	t.Helper()
	return only(t, db, "one tombstone", ` and event_data is null`, eventType)
}

// only returns the only row of the event type that meets a condition.
func only(t testing.TB, db outbox.DBTX, what, condition, eventType string) StoredRow {
	t.Helper()
	inserted := selectInserted(t, db)
	found := rows(t, db, inserted+` where event_type = $1`+condition+` union all `+selectDelayed+` where event_type = $1`+condition+` order by seq`, eventType)
	if len(found) == 1 {
		return found[0]
	}
	others := rows(t, db, inserted+` order by seq desc limit 20`)
	types := make([]string, len(others))
	for i, r := range others {
		types[i] = r.EventType
		if r.Data == nil {
			types[i] += " (a tombstone)"
		}
	}
	hint := ""
	if _, ok := db.(*outbox.Tx); ok {
		hint = " (events ride with COMMIT: look after InTx has returned)"
	}
	t.Fatalf("outboxtest: want %s of type %s, got %d%s; the last rows are: %s", what, eventType, len(found), hint, strings.Join(types, ", "))
	return StoredRow{}
}

// selectInserted returns the query of the inserted events. The columns that say what became of
// an event are in the table, or in the view of a log.
func selectInserted(t testing.TB, db outbox.DBTX) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTime)
	defer cancel()
	var log bool
	if err := db.QueryRow(ctx, isLog).Scan(&log); err != nil {
		t.Fatalf("outboxtest: look whether event_outbox is a log: %v", err)
	}
	if log {
		return selectRows + fromLog
	}
	return selectRows + fromTable
}

func rows(t testing.TB, db outbox.DBTX, sql string, args ...any) []StoredRow {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), queryTime)
	defer cancel()
	result, err := db.Query(ctx, sql, args...)
	if err != nil {
		t.Fatalf("outboxtest: read event_outbox: %v%s", err, remedy(err))
	}
	found, err := pgx.CollectRows(result, func(row pgx.CollectableRow) (r StoredRow, err error) {
		err = row.Scan(&r.Seq, &r.ID, &r.AggregateType, &r.AggregateID, &r.EventType, &r.Topic, &r.Key, &r.Data, &r.Headers,
			&r.CreatedAt, &r.PublishedAt, &r.DeadAt, &r.RetryCount, &r.LastError, &r.Partition, &r.DeliverAt)
		return r, err
	})
	if err != nil {
		t.Fatalf("outboxtest: read event_outbox: %v%s", err, remedy(err))
	}
	return found
}

// remedy returns what to do about a missing privilege.
func remedy(err error) string {
	if sqlstate.Code(err) == sqlstate.Denied {
		return " (a test that reads the tables needs SELECT on event_outbox, event_outbox_delayed and the event_outbox_history of a log, which the service's role need not have: use another connection)"
	}
	return ""
}
