package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// answerMargin is how much longer than its statement_timeout a command waits for the answer
	// of a statement. Then the server is frozen, or the network is.
	answerMargin = 15 * time.Second
	// endlessLimit replaces a statement_timeout of the address that is none, or that cannot be
	// read.
	endlessLimit = time.Hour
	// poolerLimit replaces the one that a pooler refuses.
	poolerLimit = 10 * time.Minute
)

// answerLimit is a tracer that ends a statement that gets no answer. A server that is frozen
// does not know its statement_timeout either, and its kernel still acknowledges what is sent.
type answerLimit struct {
	server  time.Duration // statement_timeout of the session; 0: none, or not known
	after   time.Duration
	refused bool // a pooler refuses the limits of the session, so this is the only one

	began time.Time     // when the statement began
	took  time.Duration // by the last one that was cancelled
}

// newAnswerLimit returns the limit for a session with these parameters.
func newAnswerLimit(parameters map[string]string) *answerLimit {
	text := parameters["statement_timeout"]
	if text == "" {
		return &answerLimit{server: statementLimit, after: statementLimit + answerMargin}
	}
	if limit := parseTimeout(text); limit > 0 {
		return &answerLimit{server: limit, after: limit + answerMargin}
	}
	return &answerLimit{after: endlessLimit}
}

// timeoutText is a duration as the settings of Postgres have it.
var timeoutText = regexp.MustCompile(`^\s*([0-9]+\.?[0-9]*)\s*(us|ms|s|min|h|d)?\s*$`)

// parseTimeout reads a duration as Postgres does: a number without a unit has milliseconds. It
// returns 0 for none, and if the server may read the text in another way.
func parseTimeout(text string) time.Duration {
	parts := timeoutText.FindStringSubmatch(text)
	if parts == nil || len(parts[1]) > 1 && parts[1][0] == '0' && parts[1][1] != '.' { // to Postgres, 010 is 8
		return 0
	}
	number, err := strconv.ParseFloat(parts[1], 64)
	unit := map[string]time.Duration{
		"us": time.Microsecond, "": time.Millisecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}[parts[2]]
	milliseconds := math.RoundToEven(number * float64(unit) / float64(time.Millisecond))
	if err != nil || milliseconds > math.MaxInt32 {
		return 0
	}
	return time.Duration(milliseconds) * time.Millisecond
}

type cancelOfStatement struct{}

// TraceQueryStart implements pgx.QueryTracer.
func (a *answerLimit) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	a.began = time.Now()
	ctx, cancel := context.WithTimeout(ctx, a.after)
	return context.WithValue(ctx, cancelOfStatement{}, cancel)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (a *answerLimit) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if pg, ok := errors.AsType[*pgconn.PgError](data.Err); ok && pg.Code == "57014" {
		a.took = time.Since(a.began) // not that of the rollback that follows
	}
	if cancel, ok := ctx.Value(cancelOfStatement{}).(context.CancelFunc); ok {
		cancel()
	}
}

// endedByLimit returns the limit of the server for a statement, and reports whether the
// statement that was cancelled last took that long. The message of the server may be in any language, and somebody who
// cancels a statement gets the same code.
func endedByLimit(conn *pgx.Conn) (time.Duration, bool) {
	a, ok := conn.Config().Tracer.(*answerLimit)
	if !ok || a.server == 0 {
		return 0, false
	}
	return a.server, a.took >= a.server
}

// unanswered adds what to do to the error of a statement that got no answer.
func unanswered(ctx context.Context, conn *pgx.Conn, err error) error {
	limit, limited := conn.Config().Tracer.(*answerLimit)
	if !limited || ctx.Err() != nil || !conn.IsClosed() || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	err = fmt.Errorf("%w: the database did not answer a statement within %s: its server, or the network to it, does not respond", err, limit.after)
	if limit.refused {
		err = fmt.Errorf("%w; or the statement waits for a lock: the pooler in front of the database refuses lock_timeout and statement_timeout, "+
			"so set database-url to the server's own address", err)
	}
	return err
}
