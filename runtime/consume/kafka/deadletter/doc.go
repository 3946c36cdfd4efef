// Package deadletter reads the records that a consumer (package consume/kafka) writes
// to a dead-letter topic or a retry topic, and sends those of a dead-letter topic back.
//
// Such a record has the key, the value and the headers of the record that could not be
// handled, and further headers that say where that came from and why it failed. They
// have the names and the form that Spring for Apache Kafka uses, so that tools know
// them:
//
//	kafka_dlt-original-topic           where the record was published
//	kafka_dlt-original-partition       4 bytes, big-endian
//	kafka_dlt-original-offset          8 bytes, big-endian
//	kafka_dlt-original-timestamp       8 bytes, big-endian: Unix time in milliseconds
//	kafka_dlt-original-consumer-group  the group that could not handle it
//	kafka_dlt-exception-fqcn           the Go type of the error
//	kafka_dlt-exception-message        the error, at most 4 KiB
//	kafka_dlt-exception-stacktrace     of a panic, at most 16 KiB
//	retry_topic-attempts               4 bytes, big-endian: calls of the handler so far
//	retry_topic-backoff-timestamp      8 bytes, big-endian: not to be handled before;
//	                                   only in retry topics
//
// [Redrive] removes these headers, unless it sends a record to another topic than the
// original one: a consumer that reads it from a retry topic needs them. It adds
// [HeaderRedriveGroup], so that consumers of other groups skip the record.
package deadletter
