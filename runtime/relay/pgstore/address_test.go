package pgstore_test

import (
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
