package pgstore

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// guardedTracer keeps the store working when the tracer of the configuration panics.
// Statements also run in goroutines of the store, where no caller could recover the
// panic, and a panic in the middle of a statement would leave its session unusable.
type guardedTracer struct {
	query   pgx.QueryTracer
	batch   pgx.BatchTracer
	copies  pgx.CopyFromTracer
	prepare pgx.PrepareTracer
	connect pgx.ConnectTracer

	log *slog.Logger
	// said is when the last panic was logged, in Unix nanoseconds.
	said atomic.Int64
}

// sayTracerEvery limits the log lines about panics of a tracer.
const sayTracerEvery = time.Minute

// guardTracer returns a tracer that passes everything on to the given one, and recovers
// its panics; nil for nil.
func guardTracer(tracer pgx.QueryTracer, log *slog.Logger) pgx.QueryTracer {
	if tracer == nil {
		return nil
	}
	g := &guardedTracer{query: tracer, log: log}
	g.batch, _ = tracer.(pgx.BatchTracer)
	g.copies, _ = tracer.(pgx.CopyFromTracer)
	g.prepare, _ = tracer.(pgx.PrepareTracer)
	g.connect, _ = tracer.(pgx.ConnectTracer)
	return g
}

// recovered logs a panic of the tracer. Defer it.
func (g *guardedTracer) recovered(ctx context.Context, method string) {
	value := recover()
	if value == nil {
		return
	}
	now, said := time.Now().UnixNano(), g.said.Load()
	if time.Duration(now-said) < sayTracerEvery || !g.said.CompareAndSwap(said, now) {
		return
	}
	g.log.ErrorContext(ctx, "the tracer of the database connections panicked; its call is skipped",
		slog.String("method", fmt.Sprintf("%T.%s", g.query, method)), slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
}

// start calls a method that begins a trace. It returns the context of the call if the
// method panics.
func (g *guardedTracer) start(ctx context.Context, method string, call func() context.Context) (traced context.Context) {
	defer func() {
		if traced == nil {
			traced = ctx
		}
	}()
	defer g.recovered(ctx, method)
	return call()
}

// end calls any other method.
func (g *guardedTracer) end(ctx context.Context, method string, call func()) {
	defer g.recovered(ctx, method)
	call()
}

func (g *guardedTracer) TraceQueryStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return g.start(ctx, "TraceQueryStart", func() context.Context { return g.query.TraceQueryStart(ctx, conn, data) })
}

func (g *guardedTracer) TraceQueryEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceQueryEndData) {
	g.end(ctx, "TraceQueryEnd", func() { g.query.TraceQueryEnd(ctx, conn, data) })
}

func (g *guardedTracer) TraceBatchStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if g.batch == nil {
		return ctx
	}
	return g.start(ctx, "TraceBatchStart", func() context.Context { return g.batch.TraceBatchStart(ctx, conn, data) })
}

func (g *guardedTracer) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	if g.batch != nil {
		g.end(ctx, "TraceBatchQuery", func() { g.batch.TraceBatchQuery(ctx, conn, data) })
	}
}

func (g *guardedTracer) TraceBatchEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchEndData) {
	if g.batch != nil {
		g.end(ctx, "TraceBatchEnd", func() { g.batch.TraceBatchEnd(ctx, conn, data) })
	}
}

func (g *guardedTracer) TraceCopyFromStart(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	if g.copies == nil {
		return ctx
	}
	return g.start(ctx, "TraceCopyFromStart", func() context.Context { return g.copies.TraceCopyFromStart(ctx, conn, data) })
}

func (g *guardedTracer) TraceCopyFromEnd(ctx context.Context, conn *pgx.Conn, data pgx.TraceCopyFromEndData) {
	if g.copies != nil {
		g.end(ctx, "TraceCopyFromEnd", func() { g.copies.TraceCopyFromEnd(ctx, conn, data) })
	}
}

func (g *guardedTracer) TracePrepareStart(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	if g.prepare == nil {
		return ctx
	}
	return g.start(ctx, "TracePrepareStart", func() context.Context { return g.prepare.TracePrepareStart(ctx, conn, data) })
}

func (g *guardedTracer) TracePrepareEnd(ctx context.Context, conn *pgx.Conn, data pgx.TracePrepareEndData) {
	if g.prepare != nil {
		g.end(ctx, "TracePrepareEnd", func() { g.prepare.TracePrepareEnd(ctx, conn, data) })
	}
}

func (g *guardedTracer) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	if g.connect == nil {
		return ctx
	}
	return g.start(ctx, "TraceConnectStart", func() context.Context { return g.connect.TraceConnectStart(ctx, data) })
}

func (g *guardedTracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	if g.connect != nil {
		g.end(ctx, "TraceConnectEnd", func() { g.connect.TraceConnectEnd(ctx, data) })
	}
}
