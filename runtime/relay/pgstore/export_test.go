package pgstore

import (
	"context"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// PlanOfLogCounts explains the statement of Stats under the settings of the store's sessions.
func (s *LogStore) PlanOfLogCounts(ctx context.Context, t *testing.T) (plan string) {
	t.Helper()
	err := s.inTerm(ctx, "explain", func(_ *term, se *session) error {
		if _, err := se.conn.Exec(ctx, "PREPARE counts AS "+pgdb.LogCounts); err != nil {
			return err
		}
		rows, err := se.conn.Query(ctx, "EXPLAIN EXECUTE counts (0, 1000, '3:3:', 0, '3:3:', 1000, 2000, '{1}')", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Plans explains the store's statements under the settings of its sessions.
func (s *Store) Plans(ctx context.Context, t *testing.T, l relay.Lease, snap relay.Snapshot) map[string]string {
	t.Helper()
	from, err := parseSnapshot(snap)
	if err != nil {
		t.Fatal(err)
	}
	var none *string
	var noKeys []string
	many := make([]int64, 1000)
	statements := map[string]struct {
		sql  string
		args []any
	}{
		"ReadRange":      {pgdb.ReadRange, []any{0, 10_000, int64(math.MaxInt64), string(snap), none, none, noKeys, 1000}},
		"ReadTick":       {pgdb.ReadTick, []any{from.xmax, from.xmax + 1000, string(snap), []uint64{5, 6}, 1000}},
		"ReadEdited":     {pgdb.ReadEdited, []any{0, 10_000, int64(math.MaxInt64), string(snap), string(snap), 1000}},
		"EndOfRange":     {pgdb.EndOfRange, []any{0, 10_000, int64(math.MaxInt64), 1000}},
		"ReadHeld":       {pgdb.ReadHeld, []any{[]string{}, true}},
		"AdoptForeign":   {pgdb.AdoptForeign, []any{s.cfg.Name, l.Epoch, l.Holder, 1000}},
		"SettleByMark":   {pgdb.SettleByMark, []any{s.cfg.Name, l.Epoch, l.Holder, many}},
		"SettleByDelete": {pgdb.SettleByDelete, []any{s.cfg.Name, l.Epoch, l.Holder, many}},
		"Sweep":          {pgdb.Sweep, []any{s.cfg.Name, l.Epoch, l.Holder, 1.0, uint64(0), 1000, 1000}},
		"CountRows":      {pgdb.CountRows, []any{10_000, 15_000, 1000, 2_000}},
		"HighestSeq":     {pgdb.HighestSeq, nil},
		"LookFromMark":   {pgdb.LookFromMark, []any{0, int64(math.MaxInt64), 1000}},
		"SetAside":       {pgdb.SetAside, []any{s.cfg.Name, l.Epoch, l.Holder, 0, 1000, 1000}},
		"Restore":        {pgdb.Restore, []any{many, s.cfg.Name, l.Epoch, l.Holder}},
		"SearchBelow":    {pgdb.SearchBelow, []any{10_000, 1000}},
		"NextSeq":        {pgdb.NextSeq, []any{0}},
		"EndOfTick":      {pgdb.EndOfTick, []any{from.xmax, from.xmax + 1000, string(snap), []uint64{5, 6}}},
		"MoveDue":        {pgdb.MoveDue, []any{nil, 0, 1000}},
		"RenewLease":     {pgdb.RenewLease, []any{s.cfg.Name, l.Epoch, l.Holder, time.Now(), false, int64(0), "{}"}},
		"SettleByMarkWithFailures": {pgdb.SettleByMarkWithFailures, []any{s.cfg.Name, l.Epoch, l.Holder, many, many,
			make([]string, 1000), make([]int32, 1000), make([]float64, 1000), make([]bool, 1000), many}},
	}
	plans := map[string]string{}
	for key, st := range statements {
		err := s.inTerm(ctx, "explain", func(_ *term, se *session) error {
			// The store's sessions plan once for all values, so this must too.
			name := strings.ToLower(key)
			if _, err := se.conn.Exec(ctx, "PREPARE "+name+" AS "+st.sql); err != nil {
				return err
			}
			execute := "EXPLAIN EXECUTE " + name
			for i := range st.args {
				execute += map[bool]string{true: " (", false: ", "}[i == 0] + "$" + strconv.Itoa(i+1)
			}
			if len(st.args) > 0 {
				execute += ")"
			}
			rows, err := se.conn.Query(ctx, execute, append([]any{pgx.QueryExecModeSimpleProtocol}, st.args...)...)
			if err != nil {
				return err
			}
			defer rows.Close()
			var lines []string
			for rows.Next() {
				var line string
				if err := rows.Scan(&line); err != nil {
					return err
				}
				lines = append(lines, line)
			}
			if testing.Verbose() {
				t.Logf("%s:\n%s", name, strings.Join(lines, "\n"))
			}
			plans[key] = strings.Join(lines, "\n")
			if rows.Err() != nil {
				return rows.Err()
			}
			_, err = se.conn.Exec(ctx, "DEALLOCATE "+name)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	return plans
}

// AsideRows sets how many rows are read past the cursor before rows are set aside.
func (s *LogStore) AsideRows(n int) { s.asideRows = n }

// RepairRows sets how many rows a repair may look at.
func (s *LogStore) RepairRows(n int32) { s.repairRows = n }

// RepairIdle sets how long the server waits for the relay within a repair.
func (s *LogStore) RepairIdle(d time.Duration) { s.repairIdle = d }

// WaitForLocks returns how long the next attempt to make a partition waits for locks.
func (s *LogStore) WaitForLocks() time.Duration {
	return s.partitions.makes.wait(s.server.cfg.StatementTimeout)
}

// NextRepair returns how long it is until a repair may be tried.
func (s *LogStore) NextRepair() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.repairs.next)
}

// TidyRows sets how many rows one statement looks at to move the low-water mark.
func (s *Store) TidyRows(n int32) { s.tidyRows = n }

// LookSeqs sets the range of seq that one statement looks at.
func (s *Store) LookSeqs(n int64) { s.lookSeqs = n }

// LowWater returns the mark of the current term.
func (s *Store) LowWater() int64 { return s.currentTerm().lowWater().at }

// Lasting is lasting.
func Lasting(err *pgconn.PgError) bool { return lasting(err) }

// PoolerSays is that of package pgdial.
func PoolerSays(err error) bool { return pgdial.PoolerSays(err) }

// AnchorUsers counts those who use the session of the leases, or wait for it.
func (s *Server) AnchorUsers() int {
	a := s.run.anchor
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.users
}

// Trim closes the sessions that are not in use.
func (s *Store) Trim() { s.server.Trim() }

// Trim closes the sessions that are not in use.
func (s *Server) Trim() {
	r := s.run
	r.mu.Lock()
	for _, w := range r.free {
		w.freed = time.Now().Add(-idleFor)
	}
	r.mu.Unlock()
	r.trim()
}

// ReadByRepair repairs numbers in a transaction that it rolls back, under the settings of the
// store's sessions. It returns how many rows got other numbers, and how many rows of the log were read.
func (s *LogStore) ReadByRepair(ctx context.Context, t *testing.T, l relay.Lease) (outcome string, rows int64) {
	t.Helper()
	err := s.underLease(ctx, "repair", useForSettling, l, func(_ *term, se *session) (int64, error) {
		former, err := storedCursor(ctx, se)
		if err != nil {
			return 0, err
		}
		tx, err := se.conn.Begin(ctx)
		if err != nil {
			return 0, err
		}
		defer tx.Rollback(ctx) //nolint:errcheck // the test goes on with what is there
		outcome, err = pgdb.New(tx).Renumber(ctx, pgdb.RenumberParams{
			LockWait: "100ms", Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Former: former.N, Next: former.N + 1, Listed: []int64{},
		})
		if err != nil {
			return 0, err
		}
		return 1, tx.QueryRow(ctx, `SELECT sum(x.seq_tup_read + coalesce(x.idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables AS x
			JOIN pg_inherits AS i ON i.inhrelid = x.relid WHERE i.inhparent = 'event_outbox'::regclass`).Scan(&rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	return outcome, rows
}
