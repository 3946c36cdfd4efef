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
// sent it: same key, value and headers, in the same partition as long as the topic has
// the same number of partitions. One header is added, [Header].
//
// # Order
//
// Events are sent in the order of the history, which for a topic and key is the order in
// which the relay first sent them. Run sends a wave of events, waits until all of them
// are acknowledged, and only then sends the next wave. If events of a partition fail, it
// sends these again before any later event, so an event never overtakes an earlier one
// of its partition. Of a partition's records, those before the first failed one are
// acknowledged.
//
// # Stopping and continuing
//
// Run stops at the first event that cannot be sent, when nothing was acknowledged for
// [Config.Patience], and when its context ends. [Result.After] is the place in the
// history up to which everything was sent. With it in [Config.After], and the same
// selection and id, another Run continues there. No event is left out. When the context
// ends, Run waits for the wave that is being sent, so nothing is repeated. After an error,
// or if the process is killed, events of the last wave may be sent again, in order.
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
