// Package outboxtest helps to test code that inserts events.
//
// A unit test needs no database: pass a [Recorder] as the transaction, and read the
// inserted events with [One] and [All]. An integration test reads the table with
// [RequireInserted] and [Pending].
//
// The package links neither Kafka nor Redis. Package outboxtest/services, beside
// it, starts real servers.
package outboxtest
