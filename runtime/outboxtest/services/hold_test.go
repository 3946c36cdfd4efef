package services_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// hold opens a session that nobody closes and returns the id of its process.
func hold(t *testing.T, url string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return int(conn.PgConn().PID())
}
