package pgstore

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// maxLastError limits last_error, in bytes.
const maxLastError = 2_000

// Settle records the outcomes of rows, under the lease.
func (s *Store) Settle(ctx context.Context, l relay.Lease, settlement relay.Settlement) error {
	if len(settlement.Published) == 0 && len(settlement.Failed) == 0 {
		return nil
	}
	return s.underLease(ctx, "settle", useForSettling, l, func(_ *term, se *session) (int64, error) {
		if len(settlement.Failed) > 0 {
			leases, err := s.settleFailures(ctx, se, l, settlement)
			if err == nil && leases > 0 {
				s.held.add(settlement.Failed)
			}
			return leases, err
		}
		return s.settlePublished(ctx, se, l, settlement)
	})
}

func (s *Store) settlePublished(ctx context.Context, se *session, l relay.Lease, settlement relay.Settlement) (int64, error) {
	p := pgdb.SettleByMarkParams{Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Published: settlement.Published}
	switch s.cfg.Mode {
	case Mark:
		return se.q.SettleByMark(ctx, p)
	case Delete:
		return se.q.SettleByDelete(ctx, pgdb.SettleByDeleteParams(p))
	}
	return 0, s.cfg.Mode.unknown()
}

func (s *Store) settleFailures(ctx context.Context, se *session, l relay.Lease, settlement relay.Settlement) (int64, error) {
	p := pgdb.SettleByMarkWithFailuresParams{
		Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder,
		Published: append([]int64{}, settlement.Published...), // not nil
		Decided:   append([]int64{}, settlement.Decided...),
	}
	for _, f := range settlement.Failed {
		p.Failed = append(p.Failed, f.Seq)
		p.Errors = append(p.Errors, shorten(f.Err))
		p.RetryCounts = append(p.RetryCounts, int32(f.RetryCount))
		p.RetrySeconds = append(p.RetrySeconds, f.RetryIn.Seconds())
		p.Dead = append(p.Dead, f.Dead)
	}
	switch s.cfg.Mode {
	case Mark:
		return se.q.SettleByMarkWithFailures(ctx, p)
	case Delete:
		return se.q.SettleByDeleteWithFailures(ctx, pgdb.SettleByDeleteWithFailuresParams(p))
	}
	return 0, s.cfg.Mode.unknown()
}

// shorten cuts an error to maxLastError, and drops what a Postgres text cannot store.
func shorten(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	if len(text) <= maxLastError {
		return text
	}
	return strings.ToValidUTF8(text[:maxLastError], "") + "…"
}

// Settings returns the settings that all relays of an outbox must share.
func (s *Store) Settings() map[string]string {
	return map[string]string{"settle": string(s.cfg.Mode)}
}

// readLed reads what a leader wrote about itself into the lease row. It returns nil if
// a relay of another version wrote something else.
func readLed(text string) *relay.Led {
	var led relay.Led
	if text == "" || json.Unmarshal([]byte(text), &led) != nil {
		return nil
	}
	return &led
}
