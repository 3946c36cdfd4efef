package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// answerMargin is how much longer than its statement_timeout a command waits for the answer of
// a statement. Then the server is frozen, or the network is.
const answerMargin = 15 * time.Second

// answerLimit is a tracer that ends a statement that gets no answer. A server that is frozen
// does not know its statement_timeout either, and its kernel still acknowledges what is sent.
type answerLimit time.Duration

type cancelOfStatement struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (a answerLimit) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(a))
	return context.WithValue(ctx, cancelOfStatement{}, cancel)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (a answerLimit) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if cancel, ok := ctx.Value(cancelOfStatement{}).(context.CancelFunc); ok {
		cancel()
	}
}

// limitOf returns how long a connection waits for the answer of a statement; false: for ever.
func limitOf(conn *pgx.Conn) (time.Duration, bool) {
	a, ok := conn.Config().Tracer.(answerLimit)
	return time.Duration(a), ok
}

// unanswered adds what to do to the error of a statement that got no answer.
func unanswered(ctx context.Context, conn *pgx.Conn, err error) error {
	limit, limited := limitOf(conn)
	if !limited || ctx.Err() != nil || !conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: the database did not answer a statement within %s: its server, or the network to it, does not respond", err, limit)
}
