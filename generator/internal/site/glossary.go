package site

// word is an entry of the glossary.
type word struct{ ID, Name, Meaning string }

// glossary explains the words of the catalogue to people who did not write the events.
var glossary = []word{
	{"event", "Event", "Something that happened and that a service tells others, such as: an order was placed. The data says what happened. Each version of an event has its own type and its own page."},
	{"service", "Service", "The program that publishes or consumes events."},
	{"topic", "Topic", "The place in Kafka where the records of an event are. Consumers read topics."},
	{"record", "Record", "One event as Kafka has it: a key, headers, and a value."},
	{"key", "Record key", "A text that says what a record is about. Records of one service with the same key keep their order."},
	{"aggregate", "Aggregate", "The thing in the service that the event is about, such as an order. The aggregate id says which one. By default it is the record key."},
	{"correlation", "Correlation id", "An id that all events of one business operation share, so that one can find them together."},
	{"envelope", "Envelope", "What is around the data in the value of a record: the id of the event, its type, its time, and who sent it."},
	{"tombstone", "Tombstone", "A record without a value. It says that what was published under its key is deleted."},
	{"uri", "Schema URI", "The address that identifies the schema of the data. It need not exist on the web."},
	{"compatibility", "Compatibility", "Which changes of the schema are allowed, so that older and newer code understand each other's records."},
	{"deprecated", "Deprecated", "Still published, but new consumers should not use it."},
}
