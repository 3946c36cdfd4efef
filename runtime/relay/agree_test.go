package relay_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// Two relays of one outbox have different values of settings that must be equal. The
// standby logs who leads and each differing setting with both values, and does so again
// when it becomes the leader.
func TestSettingsThatDifferAreWarnedOf(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	sink := newTaking()
	first := start(t, relay.Config{
		Store: postgresStore(t, pg, pgstore.Mark), Sink: sink, OnDead: relay.Block, OnDeadByType: map[string]relay.Policy{"t": relay.Park},
	})
	first.w.leads(t)
	log := &logText{}
	second := start(t, relay.Config{
		Store: postgresStore(t, pg, pgstore.Delete), Sink: sink, Term: 4 * time.Second, Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	says := func(w string) func(*watcher) bool {
		return func(*watcher) bool { return strings.Contains(log.String(), w) }
	}
	for _, line := range []string{
		`msg="standing by"`, "leader_pid=",
		`setting=term here=4s there=3s`, `setting=settle here=delete there=mark`,
		`setting=on_dead here=park there=block`, `setting="on_dead of t" here="" there=park`,
	} {
		second.w.until(t, line, says(line))
	}
	first.stop()
	second.w.leads(t)
	second.w.until(t, "the leader warns", says("differs from the former leader's"))
	if n := strings.Count(log.String(), "setting=term"); n != 2 {
		t.Errorf("the term is warned of %d times, want one as a standby and one as the leader:\n%s", n, log.String())
	}
}
