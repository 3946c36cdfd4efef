package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// history measures whether what the table has been through slows a drain down.
type history struct{ mode pgstore.Mode }

func (h history) variants(ctx context.Context, l *lab) ([]variant, error) {
	old, err := l.withHistory(ctx)
	if err != nil {
		return nil, err
	}
	empty, published, held := drain{mode: h.mode}, drain{mode: h.mode, keep: true}, drain{mode: h.mode, held: true}
	const toEmpty = 1
	return []variant{
		{"bare loop, empty table", bareLabel, toEmpty, empty.with(l, empty.bare)},
		{"relay, empty table", oursLabel, toEmpty, empty.with(l, empty.relay)},
		{"relay, published rows", "published", toEmpty, published.with(old, published.relay)},
		{"relay, a transaction open", "held", toEmpty, held.with(l, held.relay)},
	}, nil
}

// withHistory returns a lab whose outbox has published rows, in a schema of its own.
func (l *lab) withHistory(ctx context.Context) (*lab, error) {
	const schema = "history"
	old := *l
	address, err := url.Parse(l.url)
	if err != nil {
		return nil, err
	}
	query := address.Query()
	query.Set("search_path", schema)
	address.RawQuery = query.Encode()
	old.url = address.String()
	if old.admin, err = pgx.Connect(ctx, old.url); err != nil {
		return nil, err
	}
	l.cleanup = append(l.cleanup, func() error { return old.admin.Close(context.WithoutCancel(ctx)) })
	var rows int
	if err := l.admin.QueryRow(ctx, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema).Scan(&rows); err != nil || rows > 0 {
		return &old, err
	}
	if _, err := old.admin.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, old.admin); err != nil {
		return nil, err
	}
	exec := func(sql string) error {
		if _, err := old.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		return nil
	}
	// The rows are published from the start: an UPDATE of all of them would take as long again.
	if err := exec("ALTER TABLE event_outbox ALTER published_at SET DEFAULT now()"); err != nil {
		return nil, err
	}
	if err := old.seed(ctx, l.effort.published); err != nil {
		return nil, err
	}
	if err := exec("ALTER TABLE event_outbox ALTER published_at DROP DEFAULT"); err != nil {
		return nil, err
	}
	return &old, exec("VACUUM ANALYZE event_outbox")
}
