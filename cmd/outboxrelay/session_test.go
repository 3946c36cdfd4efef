package main

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

// silentPostgres accepts a session without a password, and never answers a query.
func silentPostgres(conn net.Conn) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(conn, size); err != nil {
		return
	}
	if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size))-4); err != nil {
		return
	}
	_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 0, 'Z', 0, 0, 0, 5, 'I'}) // authenticated, ready
	_, _ = io.Copy(io.Discard, conn)
}

// A command ends even if the server falls silent once a session is open.
func TestACommandLeavesASilentServer(t *testing.T) {
	t.Parallel()
	address := "postgres://u@" + tellTale(t, silentPostgres) + "/d?sslmode=disable"
	for _, args := range [][]string{{"status"}, {"dead"}, {"replay", "--all"}, {"discard", "--all", "--reason", "x", "--yes"}} {
		want := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: the database accepted the connection but did not respond within 20ms: " +
			"check the server and any pooler or proxy in front of it, or set a longer --timeout\n"}
		got := call(map[string]string{"DATABASE_URL": address}, append(args, "--timeout", "20ms")...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", args, diff)
		}
	}
}
