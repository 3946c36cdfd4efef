package pgstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// An address that asks for a server without writes is refused before anything
// connects, with what to write instead.
func TestAddressesOfServersWithoutWrites(t *testing.T) {
	t.Parallel()
	refused := func(value string) string {
		return "pgstore: target_session_attrs is " + value + " (in the address, or in PGTARGETSESSIONATTRS): " +
			"this selects a server that accepts no writes, but the relay writes its lease and the outcome of each row: " +
			"write target_session_attrs=read-write"
	}
	got := map[string]string{}
	for _, value := range []string{"", "any", "read-write", "primary", "read-only", "standby", "prefer-standby"} {
		address := "postgres://127.0.0.1:1,127.0.0.1:2/d"
		if value != "" {
			address += "?target_session_attrs=" + value
		}
		conn, err := pgx.ParseConfig(address)
		if err != nil {
			t.Fatal(err)
		}
		got[value] = ""
		s, err := pgstore.New(pgstore.Config{Conn: conn})
		if err != nil {
			got[value] = err.Error()
			continue
		}
		s.Close()
	}
	want := map[string]string{
		"": "", "any": "", "read-write": "", "primary": "",
		"read-only": refused("read-only"), "standby": refused("standby"), "prefer-standby": refused("prefer-standby"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A service discovery that has no instance at the moment returns no address and no error.
func TestAHostWithoutAnAddress(t *testing.T) {
	t.Parallel()
	const want = `host "db.example" has no address: LookupFunc of the connection's configuration returned none`
	config, err := pgx.ParseConfig("postgres://db.example/d?sslmode=disable")
	must(t, err)
	config.LookupFunc = func(context.Context, string) ([]string, error) { return nil, nil }
	if conn, err := pgstore.Connect(t.Context(), config); err == nil || err.Error() != want {
		t.Errorf("Connect returned %v and the error %v, want %s", conn, err, want)
	}
	store, err := pgstore.New(pgstore.Config{Conn: config})
	must(t, err)
	defer store.Close()
	if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check returned the error %v, want %s", err, want)
	}
}
