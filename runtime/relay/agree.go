package relay

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Led describes the leader of an outbox, as it wrote itself into the lease row.
type Led struct {
	// Host and PID identify the leader's process.
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Since is when its term began, by its wall clock.
	Since time.Time `json:"since"`
	// Settings are the settings that all relays of the outbox must share.
	Settings map[string]string `json:"settings"`
}

// agreed lists the settings that all relays of an outbox must share. With different
// terms they disagree about who leads; with the others they disagree about what happens
// to a row, or about the bytes of a record that is sent again.
func (c *Config) agreed() map[string]string {
	out := map[string]string{"term": c.Term.String(), "on_dead": string(c.OnDead), "strip_routing": strconv.FormatBool(c.StripRouting)}
	for typ, p := range c.OnDeadByType {
		if p != c.OnDead {
			out["on_dead of "+typ] = string(p)
		}
	}
	if s, ok := c.Store.(interface{ Settings() map[string]string }); ok {
		maps.Copy(out, s.Settings())
	}
	return out
}

// SharedSettings returns the settings that all relays of an outbox must share, as a leader
// writes them into the lease row ([Led]).
func SharedSettings(c Config) map[string]string {
	c = c.WithDefaults()
	return c.agreed()
}

// acquaintance is what a relay knows about the leader, so that it logs each fact once.
type acquaintance struct {
	holder   uuid.UUID // the leader that was logged
	compared uuid.UUID // the leader whose settings were compared
	led      *Led      // of the last leader that was not this relay
}

// meet handles the state of the lease while this relay stands by.
func (d *driver) meet(ctx context.Context, s LeaseState) {
	a := &d.leader
	if s.Holder == uuid.Nil || s.Holder == d.m.own.lease.Holder {
		return
	}
	if a.holder != s.Holder {
		a.holder = s.Holder
		attrs := []slog.Attr{slog.Int64("epoch", s.Epoch), slog.String("holder", s.Holder.String())}
		if s.Led != nil {
			attrs = append(attrs, slog.String("leader", s.Led.Host), slog.Int("leader_pid", s.Led.PID), slog.Time("since", s.Led.Since))
		}
		d.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "standing by", attrs...)
	}
	if s.Led == nil || a.compared == s.Holder {
		return
	}
	a.compared, a.led = s.Holder, s.Led
	d.compare(ctx, "setting differs from the leader's; all relays of an outbox must have the same", s.Led)
}

// succeed compares the settings with those of the former leader when a term begins.
func (d *driver) succeed(ctx context.Context) {
	if d.leader.led != nil {
		d.compare(ctx, "setting differs from the former leader's; all relays of an outbox must have the same", d.leader.led)
	}
}

func (d *driver) compare(ctx context.Context, text string, with *Led) {
	if len(with.Settings) == 0 {
		return // its version did not write it
	}
	own := d.cfg.agreed()
	names := map[string]bool{}
	for name := range own {
		names[name] = true
	}
	for name := range with.Settings {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if mine, theirs := own[name], with.Settings[name]; mine != theirs {
			d.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, text, slog.String("setting", name), slog.String("here", mine),
				slog.String("there", theirs), slog.String("leader", with.Host), slog.Int("leader_pid", with.PID))
		}
	}
}

// introduce returns what this relay writes about itself when it leads.
func (d *driver) introduce() *Led {
	host, _ := os.Hostname() // without a name there is still the pid
	return &Led{Host: host, PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Settings: d.cfg.agreed()}
}
