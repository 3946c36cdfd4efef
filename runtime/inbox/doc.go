// Package inbox makes a consumer handle each event once, although the relay and
// Kafka deliver it at least once.
//
// [Tx] is for consumers whose effects are rows in Postgres. It inserts the event's id into
// the table event_inbox in the transaction of the effects, so both are committed or
// neither. A repeat finds the id and is skipped. For effects outside of that transaction
// (a mail, a call), use package redisinbox. [TxBatch] is for batch handlers.
//
// [Forget] removes ids that are older than a time of your choice. Choose more than
// the topic's retention: then a group that is set back to the beginning still skips
// the events that it handled.
//
// The table comes with the outbox's migrations.
package inbox

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
