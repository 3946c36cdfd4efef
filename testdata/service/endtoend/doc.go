// Package endtoend has the tests of the whole path on real parts: the sample
// service writes, a relay carries the rows to Kafka, a consumer handles the
// records with the generated handlers and the inbox. It has no code beside the
// tests.
//
//   - wire_test.go: a record is its row, byte for byte, and an envelope that was
//     decoded is written again as it was.
//   - once_test.go: every commit is handled, once, in the order of its key.
//   - atomic_test.go: what was rolled back leaves no row and no record.
//   - absent_test.go: Kafka and Redis are absent, or go away.
//   - registry_test.go: clients of a schema registry read the records, and their records are read.
//   - traps_test.go: wake-ups come after the commit, and cost the transaction nothing.
//
// Each test runs on every Postgres and every Kafka that the machine has; package
// services says where they come from.
package endtoend
