package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// Facts are what a doctor looks at: the server, the tables and the topics of an outbox.
// They are cheap to read, lock nothing, and need only the privileges of an operator; what
// other roles do is known with pg_read_all_stats.
type Facts struct {
	State  State
	Server ServerFacts
	// HoldingBack lists what keeps vacuum from removing rows, at most 10.
	HoldingBack []HoldingBack
	Tables      []TableFacts
	// InvalidIndexes lists the indexes that cannot be used, with their tables.
	InvalidIndexes []InvalidIndex
	// TakesPauses is true if event_outbox_audit accepts pauses of topics, and PausesIndexed
	// if it has the indexes that came with them.
	TakesPauses, PausesIndexed bool
	// Topics lists the topics of the first 10,000 rows that wait, of the first 10,000 dead
	// and delayed ones, and of the latest published ones; at most 1,000.
	Topics []TopicFacts
	// Others lists sessions that change event_outbox like a relay and are none, at most 10.
	Others []OtherPublisher
	// PublishedAgo is how long ago one of the latest rows was marked as published; negative:
	// none is.
	PublishedAgo time.Duration
}

// ServerFacts are the limits and the clock of the database server. A limit of -1 is none.
type ServerFacts struct {
	Now            time.Time // its clock at about the middle of the call
	Ahead          time.Duration
	Uncertain      time.Duration // Ahead may be wrong by this much
	Login          string
	Database       string
	Version        int
	MaxConnections int
	Reserved       int // for superusers, and for members of pg_use_reserved_connections
	Used           int
	RoleLimit      int
	RoleUsed       int
	DatabaseLimit  int
	DatabaseUsed   int
	Autovacuum     bool
	SeesOthers     bool // what sessions of other roles do
	RelaySessions  int  // of outboxrelay run, in this database
}

// HoldingBack is something that keeps vacuum from removing rows.
type HoldingBack struct {
	Kind         string // transaction, standby, slot or prepared
	Name         string // the session's pid, the walsender's, the slot, or the id of the prepared transaction
	Detail       string
	Transactions int64         // that began since
	For          time.Duration // 0: unknown
}

// TableFacts describe a table.
type TableFacts struct {
	Name          string
	Bytes         int64 // with indexes
	Live, Dead    int64 // rows, estimated
	Vacuumed      bool  // ever, since the statistics began
	VacuumedAgo   time.Duration
	NeverVacuumed bool // autovacuum is off for it
}

// Bloated reports whether most of the table is dead rows, and there are many.
func (t TableFacts) Bloated() bool {
	const many = 100_000
	return t.Dead > many && t.Dead > t.Live
}

// InvalidIndex is an index that cannot be used.
type InvalidIndex struct{ Name, Table string }

// TopicFacts describe a topic by the rows that were looked at.
type TopicFacts struct {
	Topic     string
	EventType string // of one of its rows
	Waiting   int64  // rows that are not published
	Largest   int64  // about the size of the largest of them, in bytes
	LargestID string // "": none waits
}

// OtherPublisher is a session that changes event_outbox.
type OtherPublisher struct {
	PID               int32
	Role, Application string
	From              string // its address; "local" for a Unix socket
	Query             string // its last statement up to the first value
}

const (
	// sampledRows limits the rows that are looked at for topics.
	sampledRows = 10_000
	// longOpen and manyTransactions are from when a transaction holds back vacuum
	// noticeably.
	longOpen         = 10 * time.Minute
	manyTransactions = 1_000_000
	// briefOpen replaces longOpen if a table is bloated: then a transaction that is open
	// for a short time matters too. A relay's own statements end before.
	briefOpen = 5 * time.Second
)

// Examine reads the facts.
func Examine(ctx context.Context, db DB) (Facts, error) {
	var f Facts
	var err error
	if f.State, err = Inspect(ctx, db, ""); err != nil {
		return f, err
	}
	q := admindb.New(db)
	if f.Server, err = serverFacts(ctx, q); err != nil {
		return f, err
	}
	rows, err := rowsOf(ctx, db)
	if err != nil {
		return f, err
	}
	if err := f.readTables(ctx, q, rows); err != nil {
		return f, err
	}
	topics, err := rows.topics(ctx, sampledRows)
	if err != nil {
		return f, fmt.Errorf("admin: read the topics: %w", missing(err))
	}
	for _, t := range topics {
		f.Topics = append(f.Topics, TopicFacts(t))
	}
	if f.Others, err = otherPublishers(ctx, q); err != nil {
		return f, err
	}
	lately, err := rows.publishedLately(ctx)
	if err != nil {
		return f, fmt.Errorf("admin: look at the latest rows: %w", missing(err))
	}
	f.PublishedAgo = seconds(lately)
	return f, nil
}

// WatchPublishers looks for sessions that change event_outbox as a relay does but are not
// relays, until it finds one or the time is over. A relay that polls can be seen only while it
// publishes: afterwards the last statement of its session is COMMIT.
func WatchPublishers(ctx context.Context, db DB, limit time.Duration) ([]OtherPublisher, error) {
	const pause = 10 * time.Millisecond
	q := admindb.New(db)
	end, tick := time.NewTimer(limit), time.NewTicker(pause)
	defer end.Stop()
	defer tick.Stop()
	for {
		if found, err := otherPublishers(ctx, q); len(found) > 0 || err != nil {
			return found, err
		}
		select {
		case <-tick.C:
		case <-end.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func otherPublishers(ctx context.Context, q *admindb.Queries) (found []OtherPublisher, err error) {
	others, err := q.OtherPublishers(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: look for other publishers: %w", err)
	}
	for _, o := range others {
		found = append(found, OtherPublisher{PID: value(o.Pid), Role: o.RoleName, Application: o.Application, From: o.Address, Query: withoutValues(o.Query)})
	}
	return found, nil
}

// serverFacts compares the clocks half-way through the call.
func serverFacts(ctx context.Context, q *admindb.Queries) (ServerFacts, error) {
	if _, err := q.Now(ctx); err != nil { // the next call is not slow because of the connection
		return ServerFacts{}, fmt.Errorf("admin: read the clock: %w", err)
	}
	before := time.Now()
	now, err := q.Now(ctx)
	if err != nil {
		return ServerFacts{}, fmt.Errorf("admin: read the clock: %w", err)
	}
	took := time.Since(before)
	s, err := q.Server(ctx)
	if err != nil {
		return ServerFacts{}, fmt.Errorf("admin: look at the server: %w", err)
	}
	return ServerFacts{
		Now: now, Ahead: now.Sub(before.Add(took / 2)), Uncertain: took / 2, Login: s.Login, Database: s.DatabaseName, Version: int(s.Version),
		MaxConnections: int(s.MaxConnections), Reserved: int(s.Reserved), Used: int(s.Used),
		RoleLimit: int(s.RoleLimit), RoleUsed: int(s.RoleUsed), DatabaseLimit: int(s.DatabaseLimit), DatabaseUsed: int(s.DatabaseUsed),
		Autovacuum: s.Autovacuum, SeesOthers: s.SeesOthers, RelaySessions: int(s.RelaySessions),
	}, nil
}

func (f *Facts) readTables(ctx context.Context, q *admindb.Queries, rows rows) error {
	tables, err := rows.tables(ctx)
	if err != nil {
		return fmt.Errorf("admin: look at the tables: %w", err)
	}
	since := longOpen
	for _, t := range tables {
		f.Tables = append(f.Tables, TableFacts{
			Name: t.Name, Bytes: t.Bytes, Live: t.Live, Dead: t.Dead, Vacuumed: t.VacuumedAgo >= 0,
			VacuumedAgo: max(0, seconds(t.VacuumedAgo)), NeverVacuumed: t.NeverVacuumed,
		})
		if f.Tables[len(f.Tables)-1].Bloated() {
			since = briefOpen
		}
	}
	held, err := q.HoldingBack(ctx, admindb.HoldingBackParams{Transactions: manyTransactions, Seconds: int64(since / time.Second)})
	if err != nil {
		return fmt.Errorf("admin: look for what holds back vacuum: %w", err)
	}
	f.HoldingBack = heldBack(held)
	invalid, err := q.InvalidIndexes(ctx)
	if err != nil {
		return fmt.Errorf("admin: look for invalid indexes: %w", err)
	}
	for _, i := range invalid {
		f.InvalidIndexes = append(f.InvalidIndexes, InvalidIndex{i.Name, i.TableName})
	}
	pauses, err := q.TakesPauses(ctx)
	if err != nil {
		return fmt.Errorf("admin: look at event_outbox_audit: %w", err)
	}
	f.TakesPauses, f.PausesIndexed = pauses.Takes, pauses.Indexed
	return nil
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }
