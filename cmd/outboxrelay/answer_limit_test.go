package main

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A statement that the server cancels in a transaction is followed by a rollback, which is
// quick. The limit that ended it is still known.
func TestTheRollbackIsNotTheStatementThatWasCancelled(t *testing.T) {
	limit := newAnswerLimit(map[string]string{"statement_timeout": "1min"})
	for _, statement := range []struct {
		lasts time.Duration
		err   error
	}{
		{time.Minute, &pgconn.PgError{Code: "57014"}},
		{0, nil}, // the rollback
	} {
		ctx := limit.TraceQueryStart(context.Background(), nil, pgx.TraceQueryStartData{})
		limit.began = limit.began.Add(-statement.lasts)
		limit.TraceQueryEnd(ctx, nil, pgx.TraceQueryEndData{Err: statement.err})
	}
	if limit.took < time.Minute {
		t.Errorf("the cancelled statement took %s, want a minute", limit.took)
	}
}
