package main

import (
	"context"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// scenario answers one question. The others are compared with its first variant, the
// bare one.
type scenario struct {
	name    string
	about   string
	columns []string // what is measured; ratios are of the first
	prepare func(ctx context.Context, l *lab) ([]variant, error)
}

// variant is one way to do the work of a scenario.
type variant struct {
	name    string
	label   string // in the profile
	measure measurement
}

// measurement sets up, measures once, and gives one value for each column.
type measurement func(ctx context.Context) ([]float64, error)

const (
	perSecond = "events/s"
	bareLabel = "bare"
	oursLabel = "relay"
)

func scenarios() []scenario {
	return []scenario{
		{
			name: "generate", about: "1,000 event schemas", columns: []string{"s", "CPU s", "peak MB"},
			prepare: generateVariants, // first: the peak of a child includes the memory of this process when it starts
		},
		{
			name: "drain-mark", about: "rows wait; settle by UPDATE", columns: []string{perSecond},
			prepare: drain{mode: pgstore.Mark}.variants,
		},
		{
			name: "drain-delete", about: "rows wait; settle by DELETE", columns: []string{perSecond},
			prepare: drain{mode: pgstore.Delete}.variants,
		},
		{
			name: "drain-held", about: "as drain-mark, behind dead rows, a transaction held open", columns: []string{perSecond},
			prepare: drain{mode: pgstore.Mark, held: true}.variants,
		},
		{
			name: "repeats", about: "a draining relay is killed", columns: []string{perSecond, "repeated"},
			prepare: repeatsVariants,
		},
		{
			name: "write", about: "business transactions on 8 connections, with an event", columns: []string{"transactions/s"},
			prepare: writeVariants,
		},
		{
			name: "insert-1", about: "as write, on 1 connection, fsync off", columns: insertColumns,
			prepare: insertions{writers: 1, fsync: "off"}.variants,
		},
		{
			name: "insert-8", about: "as write, fsync off", columns: insertColumns,
			prepare: insertions{writers: 8, fsync: "off"}.variants,
		},
		{
			name: "insert-1-fsync", about: "as write, on 1 connection, fsync on", columns: insertColumns,
			prepare: insertions{writers: 1, fsync: "on"}.variants,
		},
		{
			name: "insert-8-fsync", about: "as write, fsync on", columns: insertColumns,
			prepare: insertions{writers: 8, fsync: "on"}.variants,
		},
		{
			name: "bulk", about: "1,000 events in a transaction", columns: []string{perSecond},
			prepare: bulkVariants,
		},
		{
			name: "latency", about: "commit to consumer at 200 transactions/s", columns: []string{"p50 ms", "p99 ms"},
			prepare: latencyVariants,
		},
		{
			name: "idle", about: "nothing to do; a second, for each outbox, and sessions in all",
			columns: []string{"statements", "leader's", "standby's", "transactions", "leader's sessions", "standby's"},
			prepare: idleVariants,
		},
	}
}
