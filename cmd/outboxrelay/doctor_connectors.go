package main

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// checkConnectors looks at programs that publish the outbox through a replication slot, such as
// Debezium. Beside a relay, each event is published twice.
func (d *doctor) checkConnectors(connectors []admin.Connector, s admin.State) {
	paused := whyNoRelay(s.Pauses) != ""
	led := s.Leader.Known && s.Leader.Holder != uuid.Nil && s.Leader.Silent <= silence // otherwise no relay renews the lease
	pauseAll := "outboxrelay pause" + d.o.flags + " --all --reason 'Debezium publishes this outbox: docs/debezium.md'"
	for _, c := range connectors {
		running := fmt.Sprintf("session %d (application %q) publishes this outbox through the replication slot %s, as Debezium does", c.PID, c.Application, c.Slot)
		switch {
		case !c.Publishes: // it may be a copy of all tables, which is no publisher
			d.addIncident(runbook.OldRelay, risky, "relays", fmt.Sprintf("session %d (application %q) reads event_outbox through the replication slot %s", c.PID, c.Application, c.Slot),
				"if its connector has the outbox router, a relay beside it publishes each event a second time", "look whether the connector has the outbox router; docs/debezium.md says how to hand over without loss")
		case c.Lost:
			d.addIncident(runbook.DiskFull, broken, "relays", fmt.Sprintf("the replication slot %s has lost WAL that its consumer has not read", c.Slot),
				"its consumer, such as Debezium, cannot continue, and events that it has not published are missing",
				"take the way back to outboxrelay of docs/debezium.md, section Without the slot")
		case c.Active && led && !paused:
			d.addIncident(runbook.OldRelay, broken, "relays", running+", and a relay leads", "each event is published twice, and the order of a key is not kept",
				"if Debezium is to publish: "+pauseAll+", and stop all relays; else stop the connector. docs/debezium.md says how to hand over without loss")
		case c.Active && led:
			d.addIncident(runbook.OldRelay, risky, "relays", running+", and a relay leads although all topics are paused",
				"it moves delayed events, which then wait, and if somebody resumes the topics, events are published twice", "stop all relays while Debezium publishes (docs/debezium.md)")
		case c.Active && !paused:
			d.addIncident(runbook.OldRelay, risky, "relays", running, "a relay that somebody starts publishes each event a second time",
				pauseAll)
		case c.Active:
			d.add(notable, "relays", running+"; all topics are paused, so no relay does", "", "")
		default:
			d.inactiveConnector(c, led, paused)
		}
	}
}

// inactiveConnector says what a connector that does not run leads to: no event is published,
// or its slot is left behind.
func (d *doctor) inactiveConnector(c admin.Connector, led, paused bool) {
	level, why := risky, "the server keeps all WAL from there on, until its disk is full"
	if paused || !led {
		level, why = broken, "no event is published if Debezium is to publish this outbox; "+why
	}
	d.addIncident(runbook.DiskFull, level, "relays", fmt.Sprintf("nothing reads the replication slot %s, through which Debezium publishes this outbox; it retains %s of WAL", c.Slot, megabytes(c.Bytes)), why,
		"if Debezium is to publish: look at the state of the connector and its task, which does not restart by itself; before you restart it, read docs/debezium.md, "+
			"section When an event can be lost. If outboxrelay publishes again: finish the way back there, whose last step drops the slot. Do not drop it before")
}
