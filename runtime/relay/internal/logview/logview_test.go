package logview_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logview"
)

// Only the table of events is replaced.
func TestStatement(t *testing.T) {
	t.Parallel()
	const statement = `SELECT o.id FROM event_outbox AS o LEFT JOIN event_outbox_late AS l ON l.id = o.id WHERE EXISTS (SELECT FROM event_outbox AS e)`
	const want = `SELECT o.id FROM event_outbox_history AS o LEFT JOIN event_outbox_late AS l ON l.id = o.id WHERE EXISTS (SELECT FROM event_outbox_history AS e)`
	if diff := cmp.Diff(want, logview.Statement(statement)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
