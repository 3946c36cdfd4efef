package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// DeadGroup are the dead letters with the same type, topic or last error.
type DeadGroup struct {
	Value string `json:"value"` // of an error the first 300 characters
	Rows  int64  `json:"rows"`
	// First and Last are when the first and the last of them became dead.
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// DeadGroupings are the values of by in CountDead.
func DeadGroupings() []string { return []string{"type", "topic", "error"} }

// MostDeadGroups is how many groups CountDead returns; one more means that there are others.
const MostDeadGroups = 100

// CountDead counts the dead letters that f selects by their type, topic or last error: of the
// first PendingCap of them the MostDeadGroups largest groups, the largest first, and one more if
// there is any.
func CountDead(ctx context.Context, db DB, f Filter, by string) ([]DeadGroup, error) {
	if !slices.Contains(DeadGroupings(), by) {
		return nil, fmt.Errorf("admin: dead letters are counted by %s, not by %q", strings.Join(DeadGroupings(), ", "), by)
	}
	if err := f.validate(); err != nil {
		return nil, err
	}
	outbox, err := visibleRowsOf(ctx, db, defaultLease)
	if err != nil {
		return nil, err
	}
	rows, err := outbox.countDead(ctx, admindb.CountDeadParams{
		By: by, Cap: PendingCap, MaxGroups: MostDeadGroups + 1, Ids: texts(f.EventIDs), EventType: optional(f.EventType), Topic: optional(f.Topic), EventKey: f.Key,
		AggregateType: optional(f.AggregateType), AggregateID: optional(f.AggregateID), Error: optional(f.Error),
		OlderMs: inMilliseconds(f.OlderThan), NewerMs: inMilliseconds(f.NewerThan),
	})
	if err != nil {
		return nil, fmt.Errorf("admin: count the dead letters: %w", missing(err))
	}
	var out []DeadGroup
	for _, r := range rows {
		out = append(out, DeadGroup{r.Value, r.Dead, r.First.UTC(), r.Last.UTC()})
	}
	return out, nil
}
