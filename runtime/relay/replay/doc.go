// Package replay publishes past events again, for example for a new consumer. The
// command outboxrelay replay uses it.
//
//	history, err := pgstore.NewHistory(ctx, conn)
//	result, err := replay.Run(ctx, replay.Config{
//		History: history, Sink: sink,
//		Selection: replay.Selection{From: from, To: to, EventTypes: []string{"shop.order_*"}},
//		Rate: 500,
//	})
//
// A [History] reads published events from a store. [Run] sends each one as the relay
// sent it: the same key, value and headers. An event with a key or a partition of its own
// goes to the same partition, as long as the topic has the same number of partitions. One
// header is added, [Header]. No other record has it.
//
// # Order
//
// Events are sent in the order of the history. For a topic and key that is the order in
// which the relay first sent them, if the writers of the key took turns. Run sends events
// in waves, with one batch for each partition, and the next wave only when all of this one
// is acknowledged. Before any later event of a partition, it sends again what was not
// acknowledged. So the first time that an event is written, all earlier events of its
// partition have been written.
//
// # Repeats
//
// An event is written more than once if it was written and the acknowledgement did not
// come: after a timeout, a lost connection, or the end of a broker. The events of its
// partition that follow it in the wave are then written again too. A broker can be late:
// it may write the earlier attempt after the later one, and after later events. Consumers
// know a repeat by its event id.
//
// # Stopping and continuing
//
// Run stops at the first event that cannot be sent, when nothing was acknowledged for
// [Config.Patience], and when its context ends. [Result.After] is the place in the
// history up to which everything was acknowledged. With it in [Config.After], and the same
// selection and id, another Run continues there. It sends again what the first one sent
// after that place, which are events of its last wave: those that were acknowledged
// ([Result.Ahead]), and those that were written without an acknowledgement. When the
// context ends, Run waits for the attempt that it is making; if all of it is acknowledged,
// nothing is repeated. If the process is killed, the place is the one that
// [Config.Progress] got last, and everything after it is repeated.
//
// Before an event that cannot be sent ([EventError]), everything is acknowledged. A Run
// that continues after its place leaves out only this event.
//
// # Missing events
//
// Only events that are in the history when Run gets there can be sent. [Result.Missing]
// tells that some may have been deleted before. This is also so after a pause between
// two calls of Run.
//
// # Range
//
// A selection is a range of times, from From up to but without To. The time of an event
// is when its transaction began (created_at), which is before it was published. So a
// consumer that gets a replay up to a time T, and reads the topics themselves from T on,
// gets every event, and those around T perhaps twice. T has to be so long ago that the
// relay has marked what it sent before T: a replay leaves out events that are not marked
// as published when it passes them.
package replay
