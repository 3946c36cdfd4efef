package pgstore

// serverDefaults are settings that a database or a role may have changed and that the
// store's statements depend on. Sessions of the store set them to these values.
var serverDefaults = []struct{ name, value string }{
	// Encoding and formats of values, in both directions.
	{"client_encoding", "UTF8"},
	{"standard_conforming_strings", "on"},
	{"backslash_quote", "safe_encoding"},
	{"quote_all_identifiers", "off"},
	{"DateStyle", "ISO, MDY"},
	{"IntervalStyle", "postgres"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "1"},
	{"array_nulls", "on"},
	{"xmloption", "content"},
	// x = NULL must not mean x IS NULL.
	{"transform_null_equals", "off"},

	// What a statement sees and may do. With row_security off, a policy that would hide
	// a row is an error instead: a hidden row would never be delivered.
	{"row_security", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_read_only", "off"},
	{"default_transaction_deferrable", "off"},

	// When the server ends a session or a transaction. Sessions may be idle as long as
	// there are no events.
	{"exit_on_error", "off"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"}, // since Postgres 14
	{"transaction_timeout", "0"},  // since Postgres 17

	// Plans: those that the statements are written for must be allowed.
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_sort", "on"},
	{"enable_material", "on"},
	{"enable_tidscan", "on"},
	{"from_collapse_limit", "8"},
	{"join_collapse_limit", "8"},
	{"max_parallel_workers_per_gather", "0"},
	{"force_parallel_mode", "off"},  // until Postgres 15
	{"debug_parallel_query", "off"}, // since Postgres 16
}
