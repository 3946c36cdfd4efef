package admin_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// An index that is being built is not valid yet, and no finding. One whose construction ended
// early is one.
func TestAnIndexThatIsBeingBuilt(t *testing.T) {
	owner, conn := newOutbox(t)
	invalid := func() []admin.InvalidIndex {
		t.Helper()
		facts, err := admin.Examine(t.Context(), conn)
		if err != nil {
			t.Fatal(err)
		}
		return facts.InvalidIndexes
	}
	connect := func() *pgx.Conn {
		c, err := pgx.ConnectConfig(t.Context(), owner.Config())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		return c
	}
	writer, err := connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data) VALUES ('a', '1', 't', 'orders', '{}')`); err != nil {
		t.Fatal(err)
	}
	builder := connect()
	built := make(chan error, 1)
	go func() {
		_, err := builder.Exec(t.Context(), `CREATE INDEX CONCURRENTLY building ON event_outbox (event_type)`) // waits for the writer
		built <- err
	}()
	for begun := false; !begun; {
		select {
		case err := <-built:
			t.Fatal(err)
		default:
		}
		err := owner.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_index AS i JOIN pg_stat_progress_create_index AS p ON p.index_relid = i.indexrelid
			WHERE i.indexrelid = to_regclass('building') AND NOT i.indisvalid)`).Scan(&begun)
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := invalid(); got != nil {
		t.Errorf("while it is being built: %v", got)
	}
	if _, err := writer.Exec(t.Context(), `SELECT pg_cancel_backend($1::int)`, int32(builder.PgConn().PID())); err != nil {
		t.Fatal(err)
	}
	if err := <-built; err == nil {
		t.Error("the index was built")
	}
	if err := writer.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]admin.InvalidIndex{{Name: "building", Table: "event_outbox"}}, invalid()); diff != "" {
		t.Errorf("after it failed (-want +got):\n%s", diff)
	}
}
