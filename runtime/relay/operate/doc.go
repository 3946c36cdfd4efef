// Package operate is what an operator asks of an outbox: how it stands, which
// rows are dead, and what to do with those. Command outboxrelay's status, dead,
// replay and discard are thin layers over it; a service may offer the same from
// its own tools.
//
// A row is dead when its relay has given it up: Kafka refused it, alone, as often
// as the relay's settings allow. It stays in the table until someone replays it
// (it is published as if it were new) or discards it (it is deleted). Both are
// written to event_outbox_audit with who did it and why, and the leading relay
// acts on them with its next renewal, a second or so later. A replayed row
// is published after rows of its key that went ahead of it: no order is promised
// around it.
package operate

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
