package outbox

import "github.com/jackc/pgx/v5"

// searchPath is the search_path of the session as the server has reported it, which
// Postgres does from version 18 on. It follows what functions do.
func searchPath(conn *pgx.Conn) string { return conn.PgConn().ParameterStatus("search_path") }

// setSearchPath sets the search_path until the transaction ends. What SET LOCAL
// hides of a SET before it comes back with COMMIT.
const setSearchPath = `select pg_catalog.set_config('search_path', $1, true)`

// queueInserts puts the statements of the entries on the batch, each under the
// search_path under which its events were inserted, and leaves the search_path as
// it is now. It returns the entry of each statement; nil for one that sets the
// search_path, as only a function that did so makes necessary.
func queueInserts(batch *pgx.Batch, entries []*entry, now string) []*entry {
	steps := make([]*entry, 0, len(entries))
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
