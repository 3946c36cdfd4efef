// Package framing adds schema ids to records, like the serialisers of Confluent's
// schema registry. Rows do not change: the schema id is added when a record is sent.
//
//	sink, err := kafkasink.New(…)
//	sink, err = framing.New(sink, framing.Config{
//		Registry: "https://registry.example.com",
//		User:     "relay", Password: password,
//		Mode:     framing.Prefix,
//	})
//	r, err := relay.New(relay.Config{Sink: sink, …})
//
// The sink asks the registry for the newest version of a subject: once for each
// topic and event type, and again after [Config.Refresh]. So the schema of a new
// event version has to be registered before its first event is sent; outboxgen
// register does that.
//
// # A registry that cannot be reached
//
// A row whose schema id is not known yet is not sent. Its topic pauses, as if Kafka had
// no such topic: its rows wait, in order, and no attempts are counted. Other topics
// continue. A known id stays in use while the registry cannot be reached, also in later
// terms of the same process.
package framing
