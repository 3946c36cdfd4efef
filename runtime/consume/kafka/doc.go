// Package kafka reads event records from Kafka as a member of a consumer group
// and hands them to a consume.Router.
//
// # Order and offsets
//
// Each partition has one goroutine that handles its records one after the other,
// so records of one key are handled in order. A record's offset is marked once
// its handler has returned without an error, and only marked offsets are ever
// committed: in the background, when a partition is revoked, and at the end. A
// process that dies is therefore handed again what it had handled and not yet
// committed, never less than what is left to do. Package inbox makes such a
// repeat harmless.
//
// # Failures
//
// A handler's error, or panic, is answered by trying the record again after a
// pause, for as long as it takes or up to Config.MaxAttempts. Only the record's
// partition waits meanwhile; its fetching is paused once enough records wait behind,
// the others go on, and the membership in the group is kept up however long it
// lasts. A record that cannot be decoded is not tried again. What is given up goes to
// Config.DeadLetter, or, without that, Config.GiveUp says whether to stop or to
// skip it. A handler that ends its goroutine (runtime.Goexit) has failed with
// ErrHandlerExited. Each line in the log names the record, and has the stack of a
// panic.
//
// # What keeps it from reading
//
// A topic that does not exist or may not be read, a group that cannot be joined, a
// member whose kgo.InstanceID another process took over, brokers that do not answer:
// the consumer warns once, then after one, two, four and at most 15 minutes with a
// count, says when it is over, and meanwhile tries again with growing pauses. A
// partition whose fetches fail is paused by itself; the others are read.
// [Consumer.Ready] has the reasons, for a readiness probe, and
// Config.StopWhenUnready makes Run end when they last. A topic that was deleted and
// created again is taken up from its beginning, once what was in memory of the former
// one is handled. Each commit has the topic's id in its metadata: an offset that
// belongs to a former topic of the same name is not believed. Only an offset without
// an id, set by another client before the consumer began, is.
//
// Records that the topic's retention, or a delete, removed before the group read
// them are reported with their offsets; see Config.OnLoss.
//
// # Memory
//
// What is fetched and not handled is bounded over all partitions, by
// Config.BufferBytes.
//
// # Rebalances
//
// When a partition is revoked, the handler that runs is let finish, within
// Config.DrainTimeout, and its offset is committed before the partition goes to
// somebody else. When it was lost already (the member was thrown out of the
// group), the handler's context is cancelled.
package kafka
