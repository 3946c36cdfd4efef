package main

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
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

// The commands about a store limit their statements themselves, and these may last. No other limit is
// named as the cause.
func TestStoreCommandsAreNotCutOff(t *testing.T) {
	s := &storing{}
	s.declare(&cobra.Command{})
	s.longest = 2 * time.Hour
	limit := s.answersWithin(newAnswerLimit(map[string]string{"statement_timeout": "30s"}))
	if limit.server != 0 || limit.after != s.longest {
		t.Errorf("the server limits statements to %s, and the answer may take %s", limit.server, limit.after)
	}
}
