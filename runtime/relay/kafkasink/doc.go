// Package kafkasink sends a relay's records to Kafka with franz-go.
//
// One term of a relay uses one producing client (and one more to read topics). Records
// are buffered without flushing, then flushed together, so that all rows of a
// partition form exactly one batch. A client that starts sending while rows are still
// added would cut them into several batches; and if the first of several fails, the
// client accepts and sends later ones. For the same reason the first record for a topic
// that is new to a client is sent alone: the client learns the topic's partitions in
// the background, and would buffer the waiting records while it is already flushing.
//
// When a wave exceeds its time, the client is closed, which fails everything that is
// unresolved, and the next wave gets a new client. The broker may still append a batch
// of the old client, as a duplicate.
//
// The sink dials brokers itself, unless Config.Opts has kgo.Dialer. Each address has two
// seconds each for the connection, the TLS handshake and the first answer. After an
// address did not answer, it has five seconds for each of these, because the broker may
// be busy; for three seconds the sink prefers other addresses, if there are any. A
// request without its own timeout has three seconds. So a seed broker that hangs costs
// two to four seconds, once, and not for each client and retry.
//
// Within the wave's time the client itself retries what can be retried (a moved leader,
// too few replicas, a lost connection). [Classify] says what the remaining errors
// affect.
package kafkasink
