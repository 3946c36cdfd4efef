// Package admin is for operators: it reads the state of an outbox, its dead rows and its
// delayed events, replays or discards dead rows, cancels delayed events or sends them now,
// and pauses and resumes topics.
// The commands of outboxrelay use it; a service can offer the same in its own tools.
//
// A row is dead after Kafka rejected it as often as the relay's settings allow. It stays
// in the table until someone replays it (it is published again) or discards it (it is
// deleted). Both are recorded in event_outbox_audit with who did it and why. The leading
// relay acts on them at its next renewal, about a second later. It sends replayed rows of a
// key in the order of their seq, and before rows of the key that it has not sent yet. Rows
// of the key that were sent while the row was dead came before it.
//
// A pause of a topic is an entry of event_outbox_audit that no later entry ends. The
// leading relay learns of it at its next renewal, and every later leader before it sends
// anything.
package admin

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
