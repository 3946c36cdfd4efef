package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// The line about rows that were not looked at belongs to the pauses, and not to what stops
// besides. The partition of the reason is named once.
func TestStatusOfPausesBesideAPartition(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := printState(&b, "shop", admin.State{
		NotAllSeen: true, Now: time.Unix(10, 0), Pauses: []relay.OperatorPause{{Topic: "orders", Actor: "ann", Since: time.Unix(0, 0), Reason: "restore"}},
		Leader: admin.Leader{Known: true, Holder: uuid.UUID{1}, Epoch: 1, State: relay.Status{
			Leader: true, OperatorPauseCount: 1, OperatorPauses: []relay.OperatorPause{{Topic: "orders"}}, Reason: "partition 3 of mails is set aside: no leader", ReasonKind: relay.ReasonPartition,
			SetAsideCount: 1, SetAside: []relay.Paused{{Topic: "mails", Partition: 3, Reason: "no leader"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `outbox   shop
leader   term 1, holder 01000000-0000-0000-0000-000000000000, renewed 0s ago
pending  0
retrying 0
dead     0
delayed  0
paused   topic orders is paused by ann since 1970-01-01T00:00:00Z: restore
         not all of their rows were looked at: whether a row of another topic waits between them is not known
aside    partition 3 of mails: no leader
why      partition 3 of mails is set aside: no leader
         1 pause by operators: see outboxrelay resume
see      `
	if diff := cmp.Diff(want+runbook.BrokerDown.URL()+"\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// In JSON a duration has its unit, whatever gives it.
func TestDurationsInTheLogHaveTheirUnits(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := newLogger(&b, "info", "json", &secret.Redactor{}).With("every", time.Minute)
	log.WithGroup("g").Info("x", "retry_in", 951456*time.Nanosecond, "attempt", 1)
	_, got, _ := bytes.Cut(b.Bytes(), []byte(`"msg":`))
	if diff := cmp.Diff(`"x","every":"1m0s","g":{"retry_in":"951.456µs","attempt":1}}`+"\n", string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
