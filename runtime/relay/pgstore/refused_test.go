package pgstore_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A statement that was prepared before a column changed is prepared again, in whatever language
// the server says so.
func TestAStatementFromBeforeAChangeIsNoLastingError(t *testing.T) {
	t.Parallel()
	conn := services.Postgres(t).Connect(t.Context())
	_, err := conn.Exec(t.Context(), `CREATE TABLE changed (a integer); PREPARE before AS SELECT a FROM changed; ALTER TABLE changed ALTER a TYPE bigint; EXECUTE before`)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || refused.Code != "0A000" {
		t.Fatalf("the statement: %v", err)
	}
	refused.Message = "in another language"
	if pgstore.Lasting(refused) {
		t.Errorf("%+v counts as lasting", refused)
	}
}
