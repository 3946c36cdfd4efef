package admin

import (
	"context"
	"fmt"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// MayDecide reports whether the role of the session may replay and discard dead letters.
func MayDecide(ctx context.Context, db DB) (bool, error) {
	may, err := admindb.New(db).MayDecide(ctx)
	if err != nil {
		return false, fmt.Errorf("admin: ask for the privileges of the role: %w", err)
	}
	return may, nil
}
