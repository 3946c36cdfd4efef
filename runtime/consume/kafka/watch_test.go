package kafka

import (
	"log/slog"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// A check finds the member outside its group, and reports that just after the member has
// joined: the problem does not last until the next rebalance.
func TestAMemberThatJoinsDuringACheck(t *testing.T) {
	t.Parallel()
	for joined, want := range map[bool]int{true: 0, false: 1} {
		cfg := Config{Brokers: []string{"127.0.0.1:1"}, Group: "mailer", Topics: []string{"orders"}, Router: consume.NewRouter(), Logger: slog.New(slog.DiscardHandler)}
		r, err := newRun(cfg.WithDefaults(), &stats{})
		if err != nil {
			t.Fatal(err)
		}
		if joined {
			r.watch.assigned(t.Context(), map[string][]int32{"orders": {0}})
		}
		r.notices.report(t.Context(), subject{kind: kindGroup}, -1, true, "the group was not joined yet", nil)
		r.watch.joinedMeanwhile(t.Context())
		if reasons := r.notices.blocking(); len(reasons) != want {
			t.Errorf("joined %v: it is not ready: %q", joined, reasons)
		}
		r.close()
	}
}
