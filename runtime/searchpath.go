package outbox

import "github.com/jackc/pgx/v5"

// searchPath returns the session's search_path as the server last reported it (Postgres
// 18 and later). It includes changes that functions made.
func searchPath(conn *pgx.Conn) string { return conn.PgConn().ParameterStatus("search_path") }

// setSearchPath sets the search_path until the transaction ends. After COMMIT, the
// value that an earlier SET gave is back.
const setSearchPath = `select pg_catalog.set_config('search_path', $1, true)`

// queueInserts adds the statements of the entries to the batch, each with the
// search_path of its events, and restores the current search_path at the end. It
// appends the entry of each statement to steps; nil stands for a statement that sets the
// search_path, which is only needed if a function changed it.
func queueInserts(batch *pgx.Batch, entries []*entry, now string, steps []*entry) []*entry {
	path := now
	set := func(to string) {
		if to != path && to != "" && now != "" {
			batch.Queue(setSearchPath, to)
			steps, path = append(steps, nil), to
		}
	}
	for _, e := range entries {
		set(e.path)
		batch.Queue(e.sql, e.args...)
		steps = append(steps, e)
	}
	set(now)
	return steps
}
