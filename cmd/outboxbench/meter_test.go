package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A statement counts once, in every protocol and however it is split into packets.
// Preparing it does not count.
func TestMeterCountsStatements(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	server, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMeter(server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.close(); err != nil {
			t.Error(err)
		}
	}()
	conn, err := pgx.Connect(t.Context(), m.url())
	if err != nil {
		t.Fatal(err)
	}
	if n := m.sessions.Load(); n != 1 {
		t.Errorf("%d sessions are counted, want 1", n)
	}
	ctx := t.Context()
	exec := func(sql string, args ...any) error { _, err := conn.Exec(ctx, sql, args...); return err }
	for _, step := range []struct {
		name string
		do   func() error
		want int64
	}{
		{"a text", func() error { return exec("SELECT 1") }, 1},
		{"with arguments, prepared at first", func() error { return exec("SELECT $1::int", 1) }, 1},
		{"prepared before", func() error { return exec("SELECT $1::int", 2) }, 1},
		{"longer than any buffer", func() error { return exec("SELECT $1::text", strings.Repeat("x", 200_000)) }, 1},
		{"a batch", func() error {
			batch := &pgx.Batch{}
			for i := range 3 {
				batch.Queue("SELECT $1::int", i)
			}
			return conn.SendBatch(ctx, batch).Close()
		}, 3},
		{"one that fails", func() error {
			if err := exec("SELECT 1/0"); err == nil {
				return errors.New("no error")
			}
			return nil
		}, 1},
		{"only prepared", func() error { _, err := conn.Prepare(ctx, "p", "SELECT 2"); return err }, 0},
	} {
		before := m.statements.Load()
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := m.statements.Load() - before; got != step.want {
			t.Errorf("%s: %d statements are counted, want %d", step.name, got, step.want)
		}
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}
