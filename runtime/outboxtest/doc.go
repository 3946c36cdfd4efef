// Package outboxtest helps to test code that inserts events.
//
// A unit test needs no database: give the code a [Recorder] where it wants a
// transaction, and look at what it inserted with [One] and [All]. An integration
// test looks at the table with [RequireInserted] and [Pending].
//
// The package links neither Kafka nor Redis. Package outboxtest/services, beside
// it, starts real servers.
package outboxtest
