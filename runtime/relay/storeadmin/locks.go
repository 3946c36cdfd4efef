package storeadmin

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

// calmTimeout is how long an attempt waits for each autovacuum to end. Nobody waits behind it.
const calmTimeout = 5 * time.Second

// patientLockTimeout is how long a statement waits for rows that a relay has locked. Nobody waits behind it.
const patientLockTimeout = 10 * time.Second

// holders says who holds locks on the tables.
func holders(ctx context.Context, conn *pgx.Conn) string {
	found, err := storedb.New(conn).Holders(ctx)
	if err != nil || len(found) == 0 {
		return "no session holds them now: try again, or for longer"
	}
	var texts []string
	prepared := false
	for _, h := range found {
		text := fmt.Sprintf("session %d (%s)", h.Pid, h.Detail)
		if h.Pid == 0 {
			text = fmt.Sprintf("the prepared transaction %q", h.Gid)
			prepared = true
		}
		text += " holds " + h.Locks
		if h.Seconds >= 0 {
			text += fmt.Sprintf(", since %s", time.Duration(h.Seconds)*time.Second)
		}
		texts = append(texts, text)
	}
	end := "SELECT pg_terminate_backend(…)"
	if prepared {
		end += " for a session, and COMMIT PREPARED or ROLLBACK PREPARED for a prepared transaction, which ends only with that"
	}
	return strings.Join(texts, "; ") + ". Wait for it, or, if it is not needed, " + end + "; then try again"
}

// calm keeps autovacuum away, and most changes of event_outbox by others. Then it looks at
// event_outbox again, because it may have changed.
func (m *move) calm() (err error) {
	if err := m.lockTimeout(calmTimeout); err != nil {
		return err
	}
	if err := m.exec(calmSQL); err != nil {
		return fmt.Errorf("keep autovacuum away: %w", err)
	}
	if err := m.obstacles(); err != nil {
		return err
	}
	if m.types, err = m.q.TextTypes(m.ctx); err != nil {
		return fmt.Errorf("look at the columns of event_outbox: %w", err)
	}
	return m.lockTimeout(m.c.LockTimeout)
}

func (m *move) lockTimeout(d time.Duration) error {
	return m.exec(fmt.Sprintf("SET LOCAL lock_timeout = '%dms'", d.Milliseconds()))
}

// limit limits each of the next statements.
func (m *move) limit(d time.Duration) error {
	return m.exec(fmt.Sprintf("SET LOCAL statement_timeout = %d", max(d.Milliseconds(), 1)))
}

// hurry limits the next statement to the time that is left with the locks.
func (m *move) hurry() error {
	left := time.Until(m.end)
	if left <= 0 {
		return m.slow(nil)
	}
	return m.limit(left)
}

// slow is the error when no time is left.
func (m *move) slow(cause error) error {
	err := fmt.Errorf("%w: longer than %s; nothing was changed: let the relay publish events, end long transactions that write to event_outbox, or raise the limit",
		ErrSlow, m.c.MaxLock)
	if cause != nil {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
