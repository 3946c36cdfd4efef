// Package kafkasink sends a relay's records to Kafka with franz-go.
//
// One term of a relay uses one producing client (and one more to look at topics).
// Records are buffered without flushing, then flushed together, so that all rows
// of a partition form exactly one batch: a client that starts sending while rows
// are still being handed over cuts them into several, and when the first of
// several fails, the client accepts and sends later ones. For the same reason the
// first record for a topic that a client has not yet seen goes out alone: the
// client learns the topic's partitions behind the caller's back, and buffers what
// waited for that while it is already flushing.
//
// When a wave's time is over, the client is closed, which fails whatever is
// unresolved, and the next wave gets a new one. The broker may still append a
// batch of the old client, as a duplicate.
//
// The sink dials brokers itself, unless Config.Opts has kgo.Dialer. A connection to an
// address may take two seconds, and so may its TLS handshake and its first answer. An
// address that kept silent may take five seconds for each of these from then on, since
// it may be a broker with too much to do; it is passed over for three seconds, unless
// no other address is known. A request that names no time of its own may take three
// seconds. So a seed broker that is hung costs two to four seconds, once, and not for
// each client and retry.
//
// The client itself retries what can be retried (a moved leader, too few
// replicas, a lost connection) within the wave's time; Classify says what the
// relay makes of the errors that are left.
package kafkasink
