package main

// table has every setting of the relay, in the order of the help.
var table = []setting{
	{name: "listen", kind: anyText, def: "127.0.0.1:9464", process: true,
		help: "address of /healthz, /readyz, /status, /metrics and the web page /ui/; empty: no HTTP server"},
	{name: "page", kind: boolean, def: "true", process: true, help: "serve the web page for operators at /ui/"},
	{name: "page-token-file", kind: anyFile, process: true, help: "file with the token, of at least 16 characters, with which people log in to the web page; it is read for each login, so the token may change. Without it and page-proxy-header, the page is read-only"},
	{name: "page-proxy-header", kind: anyText, process: true, help: "request header in which a proxy passes the name of the user who has logged in there, such as X-Forwarded-User"},
	{name: "page-trusted-proxies", kind: list, process: true, help: "addresses or networks of the proxies that set page-proxy-header, such as 10.0.0.0/24; from others the header is ignored"},
	{name: "page-hosts", kind: list, process: true, help: "further host names under which browsers open the web page; on loopback only those of loopback are allowed otherwise"},
	{name: "page-local-data", kind: boolean, def: "false", process: true, help: "show dead rows and their data without a login to requests from this machine; only for a loopback address to which no proxy passes requests on"},
	{name: "page-hide-data", kind: list, process: true, help: "event types whose data and headers the web page never shows; * stands for any characters, and alone for all types"},
	{name: "log-level", kind: logLevel, def: "info", process: true, help: "debug, info, warn or error"},
	{name: "log-format", kind: oneOf("json", "text"), def: "json", process: true, help: "json or text"},

	{name: "name", kind: anyText, help: "name of the outbox in logs and metrics (default: the service, else event_outbox); with a pattern of schemas, the schema is added"},
	{name: "database-url", kind: secretText, alias: "DATABASE_URL",
		help: "address of the Postgres database with the outbox; a direct address, not a transaction pooler"},
	{name: "database-password-file", kind: anyFile, help: "file with the password of the database, instead of one in database-url; it is read for each new session, so the password may change"},
	{name: "schema", kind: anyText, def: "public", help: "Postgres schema of event_outbox (a search_path in database-url has no effect), or a pattern such as tenant_*: each matching schema with an event_outbox gets a relay, new ones within 10 s"},
	{name: "max-sessions", kind: atLeast(2, "number"), help: "maximum number of sessions in one database, shared by its outboxes; at least 2 (default: 4, and one more for every 8 outboxes, up to 10)"},
	{name: "store", kind: oneOf("table", "log"), def: "table", help: "what event_outbox is: table, or log, into which rows are only inserted (outboxgen migration --store log); must be equal in all instances of an outbox"},
	{name: "settle", kind: oneOf("mark", "delete"), def: "mark", help: "mark: keep published rows for the retention; delete: delete them immediately (faster); a log accepts only mark"},
	{name: "retention", kind: duration, def: "168h", help: "how long published rows are kept (in a log, until all rows of their day are older than that); 0 or less: forever"},

	{name: "sink", kind: oneOf("kafka", "stdout"), def: "kafka", help: "kafka, or stdout to print the records without Kafka"},
	{name: "brokers", kind: list, alias: "KAFKA_BROKERS", def: "localhost:9092", help: "Kafka bootstrap addresses, comma-separated"},
	{name: "client-id", kind: anyText, def: "outboxrelay", help: "Kafka client id"},
	{name: "compression", kind: oneOf("none", "gzip", "snappy", "lz4", "zstd"), def: "none", help: "codec of the batches: none, gzip, snappy, lz4 or zstd; every consumer must be able to read it"},
	{name: "strip-routing", kind: boolean, def: "false", help: "remove topic and headers from event_data of rows whose column headers is null, as relays of hand-written outboxes do"},
	{name: "tls", kind: boolean, def: "false", help: "use TLS for Kafka"},
	{name: "tls-ca", kind: pemFile, help: "file of the certificate authority (default: the system's)"},
	{name: "tls-cert", kind: pemFile, help: "file of the client certificate"},
	{name: "tls-key", kind: pemFile, help: "file of the client certificate's key"},
	{name: "sasl", kind: oneOf(saslMechanisms...), help: "plain, scram-sha-256, scram-sha-512 or oauthbearer; empty: none"},
	{name: "sasl-user", kind: anyText, help: "user for SASL"},
	{name: "sasl-password", kind: secretText, help: "password for SASL"},
	{name: "sasl-password-file", kind: anyFile, help: "file with the password for SASL; it is read for each connection, so the password may change"},
	{name: "sasl-token-file", kind: anyFile, help: "file with the token for oauthbearer; it is read for each connection, and before the token expires"},
	{name: "sasl-without-tls", kind: boolean, def: "false", help: "allow SASL without tls: plain then sends the password, and oauthbearer the token, in clear text, which anyone on the network path can read"},

	{name: "schema-id", kind: oneOf("prefix", "header"), help: "add the id of the event's schema to records, as the serialisers of a schema registry do: prefix puts it before the value, header into the header __value_schema_id; empty: no id"},
	{name: "registry-url", kind: secretText, alias: "SCHEMA_REGISTRY_URL", help: "schema registry with Confluent's API, for schema-id"},
	{name: "registry-auth", kind: secretText, alias: "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", help: "user:password for the schema registry"},
	{name: "registry-auth-file", kind: anyFile, help: "file with user:password for the schema registry, instead of registry-auth; it is read for each request, so the password may change"},
	{name: "registry-token", kind: secretText, alias: "SCHEMA_REGISTRY_BEARER_TOKEN", help: "bearer token for the schema registry, instead of a user"},
	{name: "registry-token-file", kind: anyFile, help: "file with the bearer token for the schema registry, instead of registry-token; it is read for each request, so the token may change"},
	{name: "registry-subject", kind: anyText, def: "{topic}-value", help: "the registry's subject of an event; {topic} and {type} stand for its topic and event type"},
	{name: "registry-subjects", kind: list, help: "subjects of single event types, comma-separated: EVENT_TYPE=SUBJECT"},
	{name: "registry-refresh", kind: duration, def: "1m", help: "time after which the registry is asked for a newer version of a schema; 0 or less: never"},

	{name: "service", kind: anyText, help: "the service's name (service: in outboxgen.yaml), the key of its wake-ups; {schema} stands for the schema that a pattern matched"},
	{name: "wake", kind: oneOf("auto", "redis", "postgres", "none"), def: "auto", help: "redis, postgres or none; auto: redis if redis-url is set, else postgres if the service is set"},
	{name: "redis-url", kind: secretText, alias: "REDIS_URL", help: "Redis for wake-ups; with TLS the address begins with rediss://"},
	{name: "redis-password-file", kind: anyFile, help: "file with the password of Redis, instead of one in redis-url; it is read for each connection, so the password may change"},
	{name: "redis-tls-ca", kind: pemFile, help: "file of the certificate authority of Redis (default: the system's)"},
	{name: "redis-tls-cert", kind: pemFile, help: "file of the client certificate for Redis"},
	{name: "redis-tls-key", kind: pemFile, help: "file of the key of that certificate"},
	{name: "poll-max", kind: duration, def: "200ms", help: "maximum pause between two queries while the relay polls; limits the latency without wake-ups"},

	{name: "max-attempts", kind: atLeast(1, "number"), def: "10", help: "attempts before a row is dead-lettered; outages are not counted"},
	{name: "on-dead", kind: oneOf("park", "block"), def: "park", help: "effect of a dead row on its key: park frees the key, block holds it until someone replays or discards the row"},
	{name: "block-types", kind: list, help: "event types that always block, comma-separated"},
	{name: "park-types", kind: list, help: "event types that always park, comma-separated"},
	{name: "buffer-rows", kind: atLeast(1, "number"), def: "20000", help: "maximum number of rows in memory"},
	{name: "buffer-mib", kind: atLeast(1, "MiB"), def: "64", help: "maximum MiB of rows in memory"},
	{name: "unsettled-rows", kind: atLeast(1, "number"), def: "5000", help: "maximum number of rows sent again after the leader is killed; lower values reduce throughput"},
	{name: "wave-timeout", kind: duration, def: "10s", help: "maximum duration of a wave; rows without a result after it are set aside"},
	{name: "term", kind: duration, def: "3s", help: "how long a leader without heartbeat keeps the lease; must be equal in all instances of an outbox"},
	{name: "drain-timeout", kind: duration, def: "15s", help: "maximum duration of a clean shutdown"},
}

// place has the settings that say where an outbox is. The operator commands read no
// others.
var place = only("name", "database-url", "database-password-file", "schema", "service")

// only returns some of the settings, in the order of the table.
func only(names ...string) []setting {
	var out []setting
	for _, s := range table {
		for _, name := range names {
			if s.name == name {
				out = append(out, s)
			}
		}
	}
	return out
}
