package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox/inboxdb"
)

// forgetWindow is how many ids one statement looks at.
const forgetWindow = 1_000

// Forget deletes the ids that the consumer handled longer ago than keep, and returns how
// many. Run it regularly, for example daily, on a pool (with database/sql,
// outboxsql.DB(db)). It deletes the consumer's ids in small statements, each in its own
// transaction. Several calls can run at the same time. If it returns an error, the number
// is that of the ids that were deleted before it.
func Forget(ctx context.Context, db outbox.DBTX, consumer string, keep time.Duration) (int64, error) {
	q := inboxdb.New(db)
	var total int64
	for after := uuid.Nil; ; {
		row, err := q.Forget(ctx, inboxdb.ForgetParams{
			Consumer: consumer, After: after, KeepSeconds: keep.Seconds(), WindowRows: forgetWindow,
		})
		if err != nil {
			return total, fmt.Errorf("inbox: forget old events of consumer %s: %w%s", consumer, err, remedy(err, db, forgetPrivileges))
		}
		total += row.Forgotten
		if row.Seen < forgetWindow {
			return total, nil
		}
		after = row.LastID
	}
}
