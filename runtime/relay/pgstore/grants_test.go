package pgstore_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Each of the relay's grants is needed, and Check suggests the same GRANT that
// `outboxgen migration --grants` prints.
func TestCheckNamesThePrintedGrant(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrate(t, pg)
		roles := pgroles.Create(t, pg)
		relays.Store(pg.Database, roles.Relay)
		s := newStore(t, pg)
		must(t, s.Check(t.Context()))
		checked := 0
		for _, grant := range roles.Statements(t, "") {
			grant = strings.Join(strings.Fields(grant), " ")
			if !strings.HasSuffix(grant, " "+roles.Relay.Name) {
				continue
			}
			revoke := strings.Replace(strings.Replace(grant, "GRANT", "REVOKE", 1), " TO ", " FROM ", 1)
			exec(t, pg.Pool, revoke)
			remedy := checkError(t, s).Remedy
			if diff := cmp.Diff(grant, strings.ReplaceAll(remedy, `"`, "")); diff != "" {
				t.Errorf("after %s (-printed +Check):\n%s", revoke, diff)
			}
			exec(t, pg.Pool, remedy)
			must(t, s.Check(t.Context()))
			checked++
		}
		if checked != 5 {
			t.Errorf("%d grants for the relay, want 5", checked)
		}
	})
}
