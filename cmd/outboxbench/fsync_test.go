package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The scenarios insert-*-fsync share a server that waits for the disk, beside the one of the
// other scenarios.
func TestAServerWithFsync(t *testing.T) {
	services.Postgres(t) // skips the test where there is none
	t.Setenv("DATABASE_URL", "")
	ctx := t.Context()
	l, err := openLab(ctx, options{rows: 1, rounds: 1, effort: effort{writing: 20 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}()
	synced, err := l.withFsync(ctx, "on")
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.withFsync(ctx, "on")
	if err != nil {
		t.Fatal(err)
	}
	same, err := l.withFsync(ctx, "off")
	if err != nil {
		t.Fatal(err)
	}
	type servers struct {
		Fsync, Synced        string
		Shared, Own, Another bool
	}
	want := servers{Fsync: "off", Synced: "on", Shared: true, Own: true, Another: true}
	got := servers{l.setting(ctx, "fsync"), synced.setting(ctx, "fsync"), again == synced, same == l, synced.url != l.url}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	variants, err := insertions{writers: 2, fsync: "on"}.variants(ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range variants {
		values, err := v.measure(ctx)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		if rate, wal := values[0], values[slices.Index(insertColumns, "WAL bytes")]; rate <= 0 || wal <= 0 {
			t.Errorf("%s: %v transactions/s, %v bytes of WAL", v.name, rate, wal)
		}
	}
}
