package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// mostPlanned is how many dead rows one decision can be about. More need several, so that
// what a person confirms stays small enough to be checked again.
const mostPlanned = 10_000

// plan is what a decision would do. It is made twice: for the page that asks for a
// confirmation, and again when the confirmation comes. Only if both have the same rows,
// it is carried out: exactly what the person has seen.
type plan struct {
	rows    []admin.DeadLetter
	more    bool // the selection has further rows
	earlier []admin.DeadLetter
	tooMany bool            // there are more earlier ones than a plan can have
	blocks  bool            // earlier ones block their keys, so the selected ones would wait for them
	newer   admin.NewerRows // published rows of the keys that come after the selected ones
	at      time.Time
}

// makePlan reads what a decision would be about. made is when the selection was made, by
// the database's clock; zero: now. Rows that became dead later do not belong to it.
func (p *Page) makePlan(ctx context.Context, o Outbox, chosen selection, replays, keepsOrder bool, made time.Time) (plan, error) {
	ctx, cancel := context.WithTimeout(ctx, planLasts)
	defer cancel()
	out := plan{at: made}
	err := p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		now, err := admin.Clock(ctx, conn)
		if err != nil {
			return err
		}
		if made.IsZero() {
			out.at = now.Truncate(time.Microsecond)
		}
		ago := max(0, now.Sub(out.at))
		filter := chosen.filter(ago)
		filter.OlderThan = max(filter.OlderThan, ago.Truncate(time.Millisecond)) // what became dead since is not read
		const step = 1000
		for after, last := int64(0), false; !last && !out.more; {
			page, err := admin.DeadLettersAfter(ctx, conn, filter, after, step)
			if err != nil {
				return err
			}
			if last = len(page) < step; len(page) > 0 {
				after = page[len(page)-1].Seq
			}
			for _, l := range page {
				if l.DeadAt.After(out.at) {
					continue
				}
				if out.more = len(out.rows) == mostPlanned; out.more {
					break
				}
				out.rows = append(out.rows, l)
			}
		}
		if !replays || len(out.rows) == 0 {
			return nil
		}
		chosen := &admin.Chosen{}
		for _, l := range out.rows {
			chosen.Add(l)
		}
		if out.newer, err = admin.PublishedAfter(ctx, conn, chosen, newerLasts); err != nil || !keepsOrder {
			return err
		}
		if out.earlier, err = admin.EarlierDead(ctx, conn, chosen, 0, mostPlanned+1); err != nil {
			return err
		}
		if out.tooMany = len(out.earlier) > mostPlanned; out.tooMany {
			out.earlier = out.earlier[:mostPlanned]
		}
		if len(out.earlier) == 0 {
			return nil
		}
		leader, err := admin.ReadLeader(ctx, conn, "")
		out.blocks = slices.ContainsFunc(out.earlier, func(l admin.DeadLetter) bool {
			return policyFor(l.EventType, leader.State.Led) == relay.Block
		})
		return err
	})
	return out, err
}

// newerLasts limits the look for newer published rows.
const newerLasts = 2 * time.Second

// digest identifies what a person has seen of a plan: its rows, where they go, and what
// happens to others. Of the newer published rows it has the topics only: on a busy outbox
// further keys get some every moment, and whoever confirmed it for some keys of a topic did so
// for all. If it is not known which there are, the confirmation is about all topics.
func (p plan) digest() string {
	sum := sha256.New()
	row := func(id uuid.UUID, eventType, topic, key string) {
		_, _ = fmt.Fprintf(sum, "%s %q %q %q\n", id, eventType, topic, key) // a hash takes everything
	}
	for _, l := range p.rows {
		row(l.EventID, l.EventType, l.Topic, keyText(l.Key))
	}
	_, _ = fmt.Fprintf(sum, "and %d earlier, more: %t, they block: %t\n", len(p.earlier), p.tooMany, p.blocks)
	for _, l := range p.earlier {
		row(l.EventID, l.EventType, l.Topic, keyText(l.Key))
	}
	newer := map[string]bool{}
	for _, n := range p.newer.Keys {
		newer[n.Topic] = true
	}
	if p.newer.Unknown == "" {
		_, _ = fmt.Fprintf(sum, "newer rows of %q\n", slices.Sorted(maps.Keys(newer)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// topics returns the topics of the rows, each once.
func (p plan) topics() (out []string) {
	seen := map[string]bool{}
	for _, l := range p.rows {
		if !seen[l.Topic] {
			seen[l.Topic] = true
			out = append(out, l.Topic)
		}
	}
	return out
}

// ids returns the events to decide about, in the order of seq, which is that of the keys.
func (p plan) ids(withEarlier bool) []uuid.UUID {
	type row struct {
		seq int64
		id  uuid.UUID
	}
	var all []row
	for _, l := range p.rows {
		all = append(all, row{l.Seq, l.EventID})
	}
	if withEarlier {
		for _, l := range p.earlier {
			all = append(all, row{l.Seq, l.EventID})
		}
		slices.SortFunc(all, func(a, b row) int {
			if a.seq < b.seq {
				return -1
			}
			return 1
		})
	}
	ids := make([]uuid.UUID, 0, len(all))
	for _, r := range all {
		ids = append(ids, r.id)
	}
	return ids
}

// keys counts the topics and keys of the rows.
func (p plan) keys() int {
	type key struct{ topic, key string }
	seen := map[key]bool{}
	for _, l := range p.rows {
		if l.Key != nil && *l.Key != "" {
			seen[key{l.Topic, *l.Key}] = true
		}
	}
	return len(seen)
}
