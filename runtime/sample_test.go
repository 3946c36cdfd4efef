package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// What follows is what outboxgen would generate for two small events, by hand.

// Graded is event data.
type Graded struct {
	EssayID       string `json:"essay_id"`
	Grade         int    `json:"grade"`
	CorrelationID string `json:"correlation_id,omitzero"`
}

type gradedJSON Graded

func (g Graded) MarshalJSON() ([]byte, error)     { return json.Marshal(gradedJSON(g)) }
func (g *Graded) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*gradedJSON)(g)) }

func (g Graded) Validate() error {
	if g.Grade >= 0 {
		return nil
	}
	return &outbox.ValidationError{Type: "Graded", Violations: []outbox.Violation{
		{Pointer: "/grade", Rule: "minimum", Message: "must be at least 0"},
	}}
}

func (g Graded) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return graded.NewRow(ctx, g, opts...)
}

var graded = gen.EventType[Graded]{
	Type: "school.essay.graded.v1", Topic: "school.essay.graded.v1", Source: "grading",
	SchemaURI: "https://school.example/graded.v1", AggregateType: "essay",
	AggregateID:   func(g *Graded) (string, error) { return g.EssayID, nil },
	CorrelationID: func(g *Graded) string { return g.CorrelationID },
}

func InsertGraded(ctx context.Context, tx outbox.Transaction, data Graded, opts ...outbox.Option) error {
	return gen.Insert(ctx, tx, insertRows, data, opts...)
}

// Moved has no key, and no aggregate id in its data.
type Moved struct {
	To string `json:"to"`
}

type movedJSON Moved

func (m Moved) MarshalJSON() ([]byte, error)     { return json.Marshal(movedJSON(m)) }
func (m *Moved) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*movedJSON)(m)) }
func (m Moved) Validate() error                  { return nil }

func (m Moved) NewRow(ctx context.Context, opts ...outbox.Option) (outbox.Row, error) {
	return moved.NewRow(ctx, m, opts...)
}

var moved = gen.EventType[Moved]{
	Type: "school.class.moved.v1", Topic: "school.class.v1", Source: "grading",
	AggregateType: "class", Unkeyed: true,
}

const insertEvent = `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::json, $8::json) ON CONFLICT (id) DO NOTHING`

const insertEvents = `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
SELECT e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.topic, CASE WHEN e.keyed THEN e.event_key END, e.event_data, e.headers
FROM ROWS FROM (unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::text[]),
	unnest($6::boolean[]), unnest($7::text[]), unnest($8::json[]), unnest($9::json[]))
WITH ORDINALITY AS e (id, aggregate_type, aggregate_id, event_type, topic, keyed, event_key, event_data, headers, ordinality)
ORDER BY e.ordinality ON CONFLICT (id) DO NOTHING`

var insertRows = gen.SQL{One: insertEvent, Many: insertEvents}

// newDatabase returns an empty outbox beside a business table with one essay, "e1", at
// grade 0.
func newDatabase(t testing.TB) *services.PG {
	t.Helper()
	pg := services.Postgres(t)
	fill(t, pg)
	return pg
}

// onEachPostgres runs the test on every Postgres of the machine; open is
// newDatabase there.
func onEachPostgres(t *testing.T, test func(t *testing.T, open func(testing.TB) *services.PG)) {
	t.Helper()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		test(t, func(t testing.TB) *services.PG {
			t.Helper()
			fresh := services.Postgres(t, services.Version(pg.Version))
			fill(t, fresh)
			return fresh
		})
	})
}

func fill(t testing.TB, pg *services.PG) {
	t.Helper()
	querymode.Use(t, pg)
	conn := pg.Connect(t.Context())
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `create table essay (id text primary key, grade int not null); insert into essay values ('e1', 0)`)
	if err != nil {
		t.Fatal(err)
	}
}

func newOutbox(t testing.TB, pool *pgxpool.Pool, options outbox.Options) *outbox.Outbox {
	t.Helper()
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	ob := outbox.New(pool, options)
	t.Cleanup(ob.Close)
	return ob
}

// raise returns the business statement: it takes the row's lock and returns the new
// grade.
func raise(ctx context.Context, tx outbox.DBTX, essay string) (grade int, err error) {
	err = tx.QueryRow(ctx, `update essay set grade = grade + 1 where id = $1 returning grade`, essay).Scan(&grade)
	return grade, err
}

// state is the result of a transaction: the essay's grade, and the grades of the events
// in the order of seq.
type state struct {
	Grade  int
	Events []int
}

func readState(t testing.TB, db outbox.DBTX) state {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	var s state
	if err := db.QueryRow(ctx, `select grade from essay where id = 'e1'`).Scan(&s.Grade); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(ctx, `select (event_data->'data'->>'grade')::int from event_outbox where event_type = $1 order by seq`, graded.Type)
	if err != nil {
		t.Fatal(err)
	}
	if s.Events, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil {
		t.Fatal(err)
	}
	if len(s.Events) == 0 {
		s.Events = nil
	}
	return s
}

func event(grade int) Graded { return Graded{EssayID: "e1", Grade: grade} }

// wantError checks an error's kind.
func wantError[E error](t testing.TB, err error) {
	t.Helper()
	if _, ok := errors.AsType[E](err); !ok {
		t.Errorf("error is %T (%v), want %T", err, err, *new(E))
	}
}

// isError is wantError that also returns the error.
func isError[E error](t testing.TB, err error) E {
	t.Helper()
	e, ok := errors.AsType[E](err)
	if !ok {
		t.Fatalf("error is %T (%v), want %T", err, err, e)
	}
	return e
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 123456789, time.UTC)

func clock() time.Time { return noon }

func key(i int) string { return strconv.Itoa(i) }
