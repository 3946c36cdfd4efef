package failover

import (
	"context"
	"errors"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// row is one way to fail over.
type row struct {
	name string // as the table shows it
	// fail makes the primary's machine fail. The standby is promoted after it.
	fail func(ctx context.Context, s *site) error
	// after causes a second failure once records of the promoted server arrive. The
	// time to the first record of an event that was committed after it is measured too.
	// nil: there is none.
	after func(ctx context.Context, s *site) error
	// tls: the relays use TLS up to the proxies.
	tls bool
	// oneName: both servers are addresses of one name.
	oneName bool
}

// silent is the weather of a machine that hangs, for new connections and open ones.
var silent = proxy.Weather{HoldRequests: true, HoldAnswers: true}

// rows returns the rows of the table, in order.
func rows() []row {
	return []row{
		{name: "killed", fail: killed},
		{name: "connections refused", fail: func(_ context.Context, s *site) error {
			err := s.a.Down()
			s.a.Cut()
			return err
		}},
		{name: "connections reset", fail: func(_ context.Context, s *site) error {
			s.a.Set(proxy.Weather{Reset: true})
			s.a.Abort()
			return nil
		}},
		{name: "connections accepted and closed", fail: func(_ context.Context, s *site) error {
			s.a.Set(proxy.Weather{Refuse: true})
			s.a.Cut()
			return nil
		}},
		{name: "silent: accepts and never answers", fail: goSilent},
		{name: "silent and the relays restarted", fail: func(ctx context.Context, s *site) error {
			return errors.Join(goSilent(ctx, s), s.restartRelays(ctx))
		}},
		{name: "silent after the TLS handshake", fail: goSilent, tls: true},
		{name: "established connections silent and new ones refused", fail: func(_ context.Context, s *site) error {
			s.a.Set(silent)
			return s.a.Down()
		}},
		{name: "unreachable: established connections silent and no answer to SYN", fail: func(_ context.Context, s *site) error {
			s.a.Set(silent)
			return s.a.Unreachable()
		}},
		{name: "one name with both addresses: silent", fail: goSilent, oneName: true},
		{name: "switchover: the former primary comes back as a standby", fail: killedCleanly, after: returnAsStandby},
		{name: "zombie: silent and then back and writable", fail: goSilent, after: zombie},
		{name: "zombie that is back when the leading relay is killed", fail: goSilent, after: func(ctx context.Context, s *site) error {
			return errors.Join(zombie(ctx, s), s.killLeader(ctx))
		}},
		{name: "zombie that is back when the relays are restarted", fail: goSilent, after: func(ctx context.Context, s *site) error {
			return errors.Join(zombie(ctx, s), s.restartRelays(ctx))
		}},
	}
}

func killed(ctx context.Context, s *site) error {
	return errors.Join(s.a.Down(), s.primary.Stop(ctx, services.Immediate))
}

func killedCleanly(ctx context.Context, s *site) error {
	return errors.Join(s.primary.Stop(ctx, services.Fast), s.a.Down())
}

func goSilent(_ context.Context, s *site) error {
	s.a.Set(silent)
	return nil
}

// returnAsStandby starts the former primary as a server that takes no writes.
func returnAsStandby(ctx context.Context, s *site) error {
	return errors.Join(s.makeReadOnly(), s.primary.Start(ctx), s.a.Up())
}

// zombie makes the former primary, which does not know of the promotion, reachable
// again. By then both relays have used the promoted server for a while.
func zombie(ctx context.Context, s *site) error {
	const awhile = 8 * time.Second
	if !wait.For(ctx, awhile) {
		return ctx.Err()
	}
	s.a.Set(proxy.Weather{})
	return nil
}
