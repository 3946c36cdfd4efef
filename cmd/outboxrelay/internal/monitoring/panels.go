package monitoring

// Rows are the rows of the dashboard.
func Rows() []Row { return []Row{now, events, trouble, relays, consumers} }

const (
	green  = "green"
	orange = "orange"
	red    = "red"
)

// from is a step of a panel.
func from(value float64, color string) Step { return Step{&value, color} }

// worse returns the steps of a value that should be low.
func worse(warning, critical float64) []Step {
	return []Step{{nil, green}, from(warning, orange), from(critical, red)}
}

const (
	outbox = `{outbox=~"$outbox"}`
	group  = `{group=~"$group"}`
)

// highest is the value of the instance that exports it: the leader.
func highest(metric string) Query {
	return Query{"max by (outbox) (" + metric + outbox + ")", "{{outbox}}"}
}

func perSecond(metric, labels, legend string) Query {
	return Query{"sum by (" + labels + ") (rate(" + metric + outbox + "[$__rate_interval]))", legend}
}

func quantiles(metric, selector, labels, legend string) []Query {
	var queries []Query
	for _, q := range []struct{ value, name string }{{"0.5", "median"}, {"0.99", "99 %"}} {
		queries = append(queries, Query{
			"histogram_quantile(" + q.value + ", sum by (le, " + labels + ") (rate(" + metric + "_bucket" + selector + "[$__rate_interval])))",
			legend + ", " + q.name,
		})
	}
	return queries
}

var now = Row{"Now", []Panel{
	{
		Title: "Leaders", Single: true, Unit: "none",
		Help:    "Exactly one instance leads each outbox. 0: nothing is published.",
		Queries: []Query{{"sum by (outbox) (outbox_relay_leader" + outbox + ")", "{{outbox}}"}},
		Steps:   []Step{{nil, red}, from(1, green), from(2, orange)},
	},
	{
		Title: "Oldest pending event", Single: true, Unit: "s",
		Help:    "Age of the oldest row that is not published yet, without topics that operators have paused.",
		Queries: []Query{highest("outbox_oldest_event_age_seconds")},
		Steps:   worse(60, 300),
	},
	{
		Title: "Pending events", Single: true, Unit: "short",
		Help:    "Committed rows that are not published yet. The count stops at 100,001.",
		Queries: []Query{highest("outbox_queue_depth")},
		Steps:   worse(10_000, 100_000),
	},
	{
		Title: "Dead rows", Single: true, Unit: "short",
		Help:    "Rows that the relay does not try again until somebody replays or discards them.",
		Queries: []Query{highest("outbox_dead_letters")},
		Steps:   worse(1, 100),
	},
	{
		Title: "Paused topics", Single: true, Unit: "short",
		Help:    "Topics that cannot be written now. Pauses by operators are in the panel What waits.",
		Queries: []Query{highest("outbox_paused_topics")},
		Steps:   worse(1, 10),
	},
	{
		Title: "Needs an operator", Single: true, Unit: "none",
		Help:    "1: an instance cannot serve the outbox; its log says what to do.",
		Queries: []Query{highest("outbox_relay_needs_operator")},
		Steps:   []Step{{nil, green}, from(1, red)},
	},
}}

var events = Row{"Events", []Panel{
	{
		Title: "Events per second", Unit: "ops",
		Help: "Rows read and published. If fewer are published than read, rows fail or wait.",
		Queries: []Query{
			perSecond("outbox_events_added_total", "outbox", "{{outbox}}, read"),
			perSecond("outbox_events_published_total", "outbox", "{{outbox}}, published"),
		},
	},
	{
		Title: "From insert to Kafka", Unit: "s",
		Help:    "Time from a row's created_at to Kafka's acknowledgement.",
		Queries: quantiles("outbox_event_age_seconds", outbox, "outbox", "{{outbox}}"),
	},
	{
		Title: "Oldest pending event", Unit: "s",
		Help:    "A line that rises by one second each second: the oldest row does not move.",
		Queries: []Query{highest("outbox_oldest_event_age_seconds")},
	},
	{
		Title: "Pending and delayed events", Unit: "short",
		Help: "Both counts stop at 100,001.",
		Queries: []Query{
			{highest("outbox_queue_depth").Expr, "{{outbox}}, pending"},
			{highest("outbox_delayed_events").Expr, "{{outbox}}, delayed"},
		},
	},
	{
		Title: "Next delayed event", Unit: "s", BelowZero: true,
		Help:    "Time until the next delayed event is due. Below 0: it is late.",
		Queries: []Query{{"min by (outbox) (outbox_delayed_next_seconds" + outbox + ")", "{{outbox}}"}},
	},
	{
		Title: "Duration of a wave", Unit: "s",
		Help:    "Time from sending a wave until Kafka acknowledged or rejected each row of it.",
		Queries: quantiles("outbox_relay_processing_seconds", outbox, "outbox", "{{outbox}}"),
	},
}}

var trouble = Row{"Failures", []Panel{
	{
		Title: "Errors per second", Unit: "ops",
		Help:    "Failures by where they happened and what they concern.",
		Queries: []Query{perSecond("outbox_relay_errors_total", "outbox, where, class", "{{outbox}}, {{where}}, {{class}}")},
	},
	{
		Title: "Failed attempts and new dead rows per second", Unit: "ops",
		Help: "Attempts that count against a row, and rows that became dead.",
		Queries: []Query{
			perSecond("outbox_events_failed_total", "outbox", "{{outbox}}, failed"),
			perSecond("outbox_events_dead_total", "outbox", "{{outbox}}, dead"),
		},
	},
	{
		Title: "What waits", Unit: "short",
		Help: "Rows that wait for their next attempt, keys that wait for such a row, topics and partitions that cannot be written, and topics that operators paused.",
		Queries: []Query{
			{highest("outbox_retrying_rows").Expr, "{{outbox}}, rows"},
			{highest("outbox_held_keys").Expr, "{{outbox}}, keys"},
			{highest("outbox_paused_topics").Expr, "{{outbox}}, topics"},
			{highest("outbox_operator_pauses").Expr, "{{outbox}}, pauses by operators"},
			{highest("outbox_partitions_set_aside").Expr, "{{outbox}}, partitions"},
		},
	},
	{
		Title: "Dead rows", Unit: "short",
		Help:    "Rows that wait for somebody to replay or discard them.",
		Queries: []Query{highest("outbox_dead_letters")},
	},
	{
		Title: "Headers left out per second", Unit: "ops",
		Help:    "Headers of rows of old writers that could not be taken from event_data.",
		Queries: []Query{perSecond("outbox_headers_left_out_total", "outbox", "{{outbox}}")},
	},
}}

var relays = Row{"Relays", []Panel{
	{
		Title: "Who leads", Unit: "none",
		Help:    "1 for the instance that leads.",
		Queries: []Query{{"outbox_relay_leader" + outbox, "{{outbox}}, {{instance}}"}},
	},
	{
		Title: "Take-overs per hour", Unit: "short",
		Help: "How often the lease changed hands. More than a few without a deployment: see the logs.",
		Queries: []Query{{
			"max by (outbox) (max_over_time(outbox_relay_epoch" + outbox + "[1h])) - min by (outbox) (min_over_time(outbox_relay_epoch" + outbox + "[1h]))", "{{outbox}}",
		}},
	},
	{
		Title: "Rows in flight", Unit: "short",
		Help: "Rows that are being sent, and rows that were sent and are not recorded yet.",
		Queries: []Query{
			{highest("outbox_relay_in_flight_rows").Expr, "{{outbox}}, in flight"},
			{highest("outbox_relay_unsettled_rows").Expr, "{{outbox}}, not recorded"},
		},
	},
	{
		Title: "Memory", Unit: "bytes",
		Help:    "Resident memory of each relay process.",
		Queries: []Query{{"process_resident_memory_bytes and on (instance) outbox_relay_leader" + outbox, "{{instance}}"}},
	},
	{
		Title: "Processor time", Unit: "none",
		Help:    "Processor seconds per second of each relay process.",
		Queries: []Query{{"rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) outbox_relay_leader" + outbox, "{{instance}}"}},
	},
}}

func ofGroup(metric, labels, legend string) Query {
	return Query{"sum by (" + labels + ") (rate(" + metric + group + "[$__rate_interval]))", legend}
}

func sumOfGroup(metric, legend string) Query {
	return Query{"sum by (group) (" + metric + group + ")", legend}
}

var consumers = Row{"Consumers", []Panel{
	{
		Title: "Lag", Unit: "short",
		Help:    "Offsets from the next record to handle to the end of the topic.",
		Queries: []Query{{"sum by (group, topic) (outbox_consumer_lag" + group + ")", "{{group}}, {{topic}}"}},
	},
	{
		Title: "Records per second", Unit: "ops",
		Help: "Records by what became of them.",
		Queries: []Query{
			ofGroup("outbox_consumer_events_handled_total", "group", "{{group}}, handled"),
			ofGroup("outbox_consumer_events_skipped_total", "group, reason", "{{group}}, skipped, {{reason}}"),
			ofGroup("outbox_consumer_events_delayed_total", "group", "{{group}}, to a retry topic"),
			ofGroup("outbox_consumer_events_dead_lettered_total", "group", "{{group}}, dead letter"),
		},
	},
	{
		Title: "Failures per second", Unit: "ops",
		Help: "Attempts that failed, attempts after the first one, panics, errors of fetching, and offsets that were lost to retention.",
		Queries: []Query{
			ofGroup("outbox_consumer_events_failed_total", "group", "{{group}}, failed"),
			ofGroup("outbox_consumer_events_retried_total", "group", "{{group}}, again"),
			ofGroup("outbox_consumer_panics_total", "group", "{{group}}, panics"),
			ofGroup("outbox_consumer_fetch_errors_total", "group", "{{group}}, fetching"),
			ofGroup("outbox_consumer_lost_records_total", "group", "{{group}}, lost"),
		},
	},
	{
		Title: "Duration of an attempt", Unit: "s",
		Help:    "Decoding, middleware and handler.",
		Queries: quantiles("outbox_consumer_handler_seconds", group, "group", "{{group}}"),
	},
	{
		Title: "Age of a record when it is done", Unit: "s",
		Help:    "Time from the record's timestamp.",
		Queries: quantiles("outbox_consumer_event_age_seconds", group, "group", "{{group}}"),
	},
	{
		Title: "Records in a batch", Unit: "short",
		Help:    "Records in an attempt of a batch handler.",
		Queries: quantiles("outbox_consumer_batch_records", group, "group", "{{group}}"),
	},
	{
		Title: "Members", Unit: "short",
		Help: "Members that are ready, and partitions that they have.",
		Queries: []Query{
			sumOfGroup("outbox_consumer_ready", "{{group}}, ready"),
			sumOfGroup("outbox_consumer_partitions", "{{group}}, partitions"),
		},
	},
	{
		Title: "Records in memory", Unit: "short",
		Help:    "Records that were read and are not handled yet.",
		Queries: []Query{sumOfGroup("outbox_consumer_buffered_records", "{{group}}")},
	},
	{
		Title: "Bytes in memory", Unit: "bytes",
		Help:    "Bytes of these records, as BufferBytes counts them.",
		Queries: []Query{sumOfGroup("outbox_consumer_buffered_bytes", "{{group}}")},
	},
}}
