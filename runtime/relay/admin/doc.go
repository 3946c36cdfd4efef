// Package admin is for operators: it reads the state of an outbox, its dead rows and its
// delayed events, replays or discards dead rows, and cancels delayed events or sends them
// now.
// The commands of outboxrelay use it; a service can offer the same in its own tools.
//
// A row is dead after Kafka rejected it as often as the relay's settings allow. It stays
// in the table until someone replays it (it is published again) or discards it (it is
// deleted). Both are recorded in event_outbox_audit with who did it and why. The leading
// relay acts on them at its next renewal, about a second later. No order is promised
// between a replayed row and other rows of its key.
package admin

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
