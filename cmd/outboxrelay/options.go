package main

// table is every setting of the relay, in the order in which help prints them.
var table = []setting{
	{name: "listen", def: "127.0.0.1:9464", process: true,
		help: "address of /healthz, /readyz, /status and /metrics; empty: none"},
	{name: "log-level", def: "info", process: true, help: "debug, info, warn or error"},
	{name: "log-format", def: "json", process: true, help: "json or text"},

	{name: "name", help: "name of the outbox in logs and metrics (default: the service, else event_outbox); with a pattern of schemas, the schema is added"},
	{name: "database-url", alias: "DATABASE_URL", secret: true,
		help: "the Postgres that holds the outbox; a direct address, not that of a transaction pooler"},
	{name: "schema", def: "public", help: "Postgres schema of event_outbox, or a pattern such as tenant_*: each schema that matches and has an event_outbox gets a relay, new ones within 10 s"},
	{name: "max-sessions", help: "sessions in one database at most, shared by its outboxes; at least 2 (default: 4, and one more for every 8 outboxes, up to 10)"},
	{name: "settle", def: "mark", help: "mark: keep published rows for the retention; delete: remove them at once (faster)"},
	{name: "retention", def: "168h", help: "how long published rows stay; 0 or less: for ever"},

	{name: "sink", def: "kafka", help: "kafka, or stdout to look at the records without a Kafka"},
	{name: "brokers", alias: "KAFKA_BROKERS", def: "localhost:9092", help: "Kafka bootstrap addresses, comma-separated"},
	{name: "client-id", def: "outboxrelay", help: "Kafka client id"},
	{name: "compression", help: "none, gzip, snappy, lz4 or zstd (default: snappy)"},
	{name: "tls", def: "false", help: "speak TLS to Kafka"},
	{name: "tls-ca", file: true, help: "file of the certificate authority (default: the system's)"},
	{name: "tls-cert", file: true, help: "file of the client certificate"},
	{name: "tls-key", file: true, help: "file of the client certificate's key"},
	{name: "sasl", help: "plain, scram-sha-256 or scram-sha-512; empty: none"},
	{name: "sasl-user", help: "user for SASL"},
	{name: "sasl-password", secret: true, help: "password for SASL"},
	{name: "sasl-without-tls", def: "false", help: "allow SASL without tls: plain then sends the password in clear text, and anybody on the way can read it"},

	{name: "service", help: "the service's name (service: in outboxgen.yaml): the key of its wake-ups; {schema} in it stands for the schema that a pattern found"},
	{name: "wake", def: "auto", help: "redis, postgres or none; auto: redis where redis-url is set, else postgres where a service is named"},
	{name: "redis-url", alias: "REDIS_URL", secret: true, help: "Redis for wake-ups"},
	{name: "poll-max", def: "200ms", help: "longest pause between two looks at an idle outbox: the latency without wake-ups"},

	{name: "max-attempts", def: "10", help: "attempts before a row is dead-lettered; outages are not counted"},
	{name: "on-dead", def: "park", help: "what a dead row does to its key: park releases it, block holds it until someone replays or discards the row"},
	{name: "block-types", help: "event types that block, whatever on-dead is, comma-separated"},
	{name: "park-types", help: "event types that park, whatever on-dead is, comma-separated"},
	{name: "buffer-rows", def: "20000", help: "rows held in memory at most"},
	{name: "buffer-mib", def: "64", help: "MiB of rows held in memory at most"},
	{name: "unsettled-rows", def: "5000", help: "rows that a kill of the leader may repeat at most; fewer cost throughput"},
	{name: "wave-timeout", def: "10s", help: "how long one wave may take before what is unresolved is set aside"},
	{name: "term", def: "3s", help: "how long a silent leader keeps the lease; the same for all instances of an outbox"},
	{name: "drain-timeout", def: "15s", help: "how long a clean end may take"},
}
