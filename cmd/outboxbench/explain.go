package main

// The texts of the report that several scenarios share, or that are long.
const (
	drainExplained = "The rows wait before the clock starts: each has an event of 500 bytes and the headers that the " +
		"insert functions write, with 1,000 keys, for one topic of 8 partitions. The barest code reads pages in order, sends key and " +
		"value with franz-go, and settles by an array of `seq`; the three steps overlap. It sends no headers and has no lease, and it " +
		"loses, repeats or reorders events under each fault that the relay is made for. The relay runs with default settings. Kafka is " +
		"franz-go's kfake in the same process, so the CPU seconds of the client have Kafka's share."

	historyExplained = "This is the drain of drain-mark on an empty table, behind 2,000,000 published rows, and while another " +
		"transaction is open, which keeps vacuum from removing deleted rows. In the last case the table also has as many deleted rows as rows to send, and " +
		"the open transaction has inserted an event before all others; when it commits at the end, that event must still arrive."

	steadyExplained = "Events are inserted at a constant rate, 50 in a transaction, while a relay publishes them. The relay of the mark " +
		"mode keeps rows for a tenth of the run and deletes them then. The times are from the commit to a consumer. The barest code is woken by " +
		"NOTIFY, as the relay is; it keeps rows equally long, and deletes them by their numbers on a second connection. Autovacuum runs with Postgres's default settings, but looks every 5 seconds."

	insertExplained = "A transaction updates a row and inserts an event. The barest code sends the same row, ready except for its id: BEGIN together with the " +
		"update, and a plain INSERT together with COMMIT. " + costsExplained + " The variants " +
		"take short turns within each round, because the speed of a machine changes within seconds."

	costsExplained = "The CPU time of server and client, the bytes of WAL and the allocations are for each transaction."

	latencyExplained = "Transactions on 4 connections insert one event each, at a constant rate. The time is from the answer to COMMIT until a consumer " +
		"has the record. Each barest loop is woken in the same way as the relay below it: it waits, reads, sends, and settles before it waits again. " +
		"The CPU time of server and client and the bytes of WAL are for each event; those of the client include kfake, the writers and the consumer, which are in the same process."

	handoverExplained = "Two relays run, and 200 transactions a second insert an event each. The leader is stopped with SIGTERM or killed with " +
		"SIGKILL. The gap is the longest time between two records that reach a consumer one after the other. The barest loop holds an advisory lock of " +
		"Postgres, which the server gives to the other process when the session ends; a host that no longer answers would hold it for hours. The relay " +
		"waits until the lease ends instead. The CPU seconds and the WAL are those of the whole measurement, with the start of both processes; those of the client " +
		"are of these processes, kfake, the writers and the consumer."

	peersExplained = "Rows of 500 bytes wait (a fifth as many as in the drains), with 1,000 keys, and are sent to a topic of 8 partitions of a real Kafka by other outboxes for " +
		"Postgres, with default settings and with better ones. The time is from the first record to the last one, as the broker saw them, so that no start of a " +
		"process counts. *Out of order* are records that came after a later one of their key. " +
		"Watermill is its forwarder on `watermill-sql`, which hands over one message at a time; both lines poll every 10 ms instead of every second, and the second reads 1,000 rows " +
		"at a time. River makes each event a job, whose worker sends it; River promises no order, and being an outbox is not its purpose. Debezium's Postgres " +
		"connector reads the WAL of rows that were inserted while it was paused, on Kafka Connect in a process of its own, with its outbox router and the JVM settings of " +
		"Kafka's scripts; before, it carries as many rows to another topic, so that its JVM is warm. It is left out where it is not installed (`.ci/services debezium`). The cost to the writer is not measured here: Watermill's rows have one index, River's jobs more, and Debezium's rows " +
		"need no index but a replication slot."
)
