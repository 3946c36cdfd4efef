// Package inbox makes a consumer handle each event once, although the relay and
// Kafka deliver it at least once.
//
// [Tx] is for consumers whose effects are rows in Postgres: the event's id is
// written to the table event_inbox in the transaction that also holds the
// effects, so either both are there or neither. A repeat finds the id and is
// skipped. Effects outside of that transaction (a mail, a call) are not covered;
// package redisinbox, below this one, is for those.
//
// An id is remembered for as long as it stays in the table. [Forget] removes those
// that are older than a time of your choice, which must be longer than a repeat can
// be away: longer than the topic's retention, so that a group that is set back to
// the beginning, too, skips what it has handled.
//
// The table comes with the outbox's migrations.
package inbox

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
