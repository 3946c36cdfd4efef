// Package relay sends the rows of an outbox table to Kafka.
//
//	r, err := relay.New(relay.Config{
//		Store: store, // package pgstore
//		Sink:  sink,  // package kafkasink, or relay.NewStdoutSink for a first look
//		Wake:  wake,  // package wake; optional
//	})
//	…
//	err = r.Run(ctx) // until ctx ends: then it finishes the wave and ends its term
//
// One Relay serves one outbox. Run as many instances of it as you like: one leads,
// the others stand by. A process can run relays for several outboxes. They share
// nothing but database sessions, if their stores share them.
//
// # What is promised
//
//   - Every committed row is delivered at least once, as long as a relay is
//     running. A row that was rolled back is never delivered.
//   - Rows of one topic and key are first delivered in commit order: if row a was
//     committed before row b got its seq, a is first delivered before b. A writer ensures
//     that by locking the aggregate's row (or taking an advisory lock) before it inserts
//     the event.
//   - The record's value is the row's event_data, byte for byte, on each attempt.
//
// No order is promised between keys or topics, for rows without a key, across a
// change of a topic's partition count, and around a row that was parked, replayed
// or discarded. Consumers see some records twice: use package inbox.
//
// # The term
//
// The lease is a row in the database. Each take-over raises its epoch, each renewal its
// beat; no wall clock is used.
//
//	           no holder, or (epoch, beat) unchanged
//	           for Term on this instance's clock
//	standing by ────────────────────────────────────▶ leading
//	  ▲   ▲                                            │  │ context ends
//	  │   │  not renewed in time, or the store says    │  ▼
//	  │   │  that another holds it, or Kafka that      │ draining: the wave is finished
//	  │   │  another produces                          │  │ and settled, nothing new begun
//	  │   └──── ending ◀───────────────────────────────┘  │
//	  │          what is under way is cancelled           │
//	  │ release ◀──────┘                                  │
//	  └──── stopped ◀── release ◀─────────────────────────┘
//
// To settle a row is to record its outcome: published, failed or dead.
//
// The leader knows the end of its term without asking: the time at which it sent its last
// successful renewal, plus Term, minus TermMargin, on a clock that continues while the
// machine is suspended. It checks that before it sends and before it settles. A leader
// that was frozen past the end settles nothing either, because the settling statement
// first locks the lease row under the leader's epoch.
//
// Records that a former leader passed to the client may still be appended. They
// cannot change the order of first deliveries. Every leader sends, for each key, its
// rows in seq order without a gap, beginning no later than the first unsettled one,
// and sends none before its predecessor is acknowledged or in the same batch. So late
// batches only repeat rows.
//
// # Reading
//
// A lower seq can become visible after a higher one, so progress is not a seq but a
// snapshot. A term begins with a snapshot and reads all unsettled rows that it shows
// (the backlog). After that, a tick takes the next snapshot and reads, in seq order,
// what it shows and the one before did not. If a committed before b drew its seq,
// every snapshot that shows b shows a, so a is read before b. Nothing about progress
// outlives the term, except the mark of a store that is a [Tidier]: a seq up to which only
// rows that wait have to be looked for.
//
// # Delayed events
//
// A store that is a [Delayer] holds events that wait for a time. The leader asks it to
// make rows of those that are due: when a renewal or the last such call announced one, and
// once a minute. To the rest of the relay, these rows look like those of any other writer,
// so the calls need no lease.
//
// # Sending
//
// A wave is at most one batch for each partition. Nothing is passed to the client while
// anything of the last wave is unresolved: a client that fails a batch accepts later rows
// of the partition immediately, and they would overtake the failed ones. Reading ahead
// and settling overlap with waves.
//
// Rows that failed are sent again before any later row of their partition, unless they
// have to wait. Then their key, partition or topic waits with them. Its rows are skipped
// when they are read, not kept, so an outage of weeks costs no memory. When the wait is
// over they are read again, before any later row.
//
// # A row
//
//	             acknowledged            settled
//	pending ───────────────▶ sent ───────────────▶ published (marked, or deleted)
//	 ▲   │
//	 │   │ fails alone, for its own reason: retry_count + 1
//	 │   ▼
//	 │  held, with its key, until next_attempt_at ──▶ pending
//	 │   │
//	 │   │ MaxAttempts
//	 │   ▼
//	 │  dead ── park (default): its key continues without it
//	 │   │      block: its key waits
//	 │   ├── discarded by an operator: its key continues
//	 └───┘── replayed by an operator
//
// # Partitions
//
// A row goes to the partition that it names ([Row.Partition]), else to the one that
// [Sink.Partition] gives for its key. If its topic does not have the partition, the topic
// is described again, because it may have more partitions now; then the row fails alone.
// It holds its key, like any row that failed. Rows of one key are in order only if they
// name the same partition, or none.
//
// # Tombstones
//
// A row without data becomes a record with a null value. A row whose data is empty or the
// JSON value null is no tombstone.
//
// # Rows without headers
//
// Writers that fill only the columns of the older table leave headers null, which means
// the same as the JSON value null. For such a row the headers come from its data, if that
// is a JSON object:
//
//	event_id    event_id of the envelope (id of a CloudEvent), else event_id in the
//	            member headers, else the row's id
//	event_type  event_type of the envelope (type of a CloudEvent), else event_type in
//	            the member headers, else the row's event type
//	trace_id    correlation_id of the envelope (correlationid of a CloudEvent), else
//	            trace_id in the member headers, else there is none
//	others      the member headers: strings, and numbers and booleans as their text;
//	            at most 100 with 64 KiB
//
// So a row has the same headers at every attempt. A header that cannot be used is left
// out, logged once for each event type and reason, and counted; the row does not fail.
// The value of the record is the row's data, byte for byte, unless Config.StripRouting is
// set. The policy for dead rows depends on the row's event type. Rows with headers cost
// nothing more: their data is not read.
//
// # When something fails
//
//	fault                         what happens                     what is seen                     what to do
//	----------------------------  -------------------------------  -------------------------------  -------------------------------
//	Kafka away, TLS, SASL,        all rows wait; tried again       status "Kafka unavailable",      fix Kafka or the credentials;
//	unknown errors                after 100 ms to 5 s              relay_errors_total{relay}        no attempts are counted
//	a partition has no leader or  it is set aside, 0.5 to 30 s;    partitions_set_aside             fix the broker
//	too few replicas              the others continue
//	a topic is missing, not       it pauses, 0.5 to 30 s;          paused_topics, status names it   create it, or grant DESCRIBE
//	authorised, against a policy  the others continue                                               and WRITE
//	an operator paused a topic    its rows wait until it is        operator_pauses, status says     outboxrelay resume
//	                              resumed; the others continue     who, when and why
//	a record is too large or      its batch is halved until it     events_failed_total, the key in  raise max.message.bytes, or
//	invalid; headers of a row     fails alone; only then is it     held_keys; then dead_letters     fix the row; replay or discard
//	that do not parse; a          counted, and its key held
//	partition that is missing
//	Postgres away                 past the deadline the term       leader 0, relay_errors_total     fix Postgres
//	                              ends; then a new one begins
//	Postgres switches over        past the deadline the term       "the server is a standby" in     nothing, if the address follows
//	                              ends; it is tried again until    the log, relay_errors_total      the primary
//	                              the address reaches a primary
//	a leader dies or freezes      another leads within 5 s; some   leader moves, epoch rises        nothing
//	                              records come twice
//	no wake-ups                   rows are found by polling,       relay_errors_total{wake}         fix Redis; it is not urgent
//	                              within PollMax
//	a row kills the relay         after three deaths without       unclean_ends in the log; then    discard the row, report the bug
//	                              progress rows are named in the   the row is dead
//	                              lease row and sent one by one;
//	                              the one that kills is counted
//	an Observer, WakeSource,      recovered, logged with its       relay_errors_total{panic},       fix the code
//	tracer or log handler panics  stack; nothing else changes      panics in the status
//	the sink panics as it sends   the term ends as if the relay    the same, unclean_ends           fix the code, or discard the
//	                              had died; another begins                                          row
//	another producer fences       the term ends                    relay_errors_total{leadership}   look for a second relay
//	tables, privileges and such   Run returns a SetupError         outboxrelay ends, or names the   what the error says
//	need operator action                                           outbox in /readyz
//
// # What may be edited by hand
//
// A running relay finds what an operator changes in rows that wait (for a paused
// topic, a partition that is set aside, or a failed row of their key), without a
// restart: within the pause of the topic, at the latest within PauseMax (30 s).
//
//	edit of an unpublished row that waits        what happens
//	-------------------------------------------  --------------------------------------------
//	UPDATE topic, event_key, partition,          the row is sent as it is now; rows corrected in
//	event_type, event_data or headers            one transaction keep their order
//	DELETE                                       the row is never sent; a key that it held continues
//	retry_count = 0 of a row that failed         the row is tried again without waiting
//	UPDATE event_key or topic of a dead row      its former key continues; under Block the dead
//	                                             row holds the new one
//
// A change of a row that does not wait may come too late: the relay may have read the
// row already; then it sends what it read and marks the row as published. No order is
// promised between an edited row and unedited rows of its new key.
//
// Do not edit seq, tx, id or published_at. Do not clear dead_at: replay and discard
// dead rows with package admin or the commands of outboxrelay, which tell the
// leader. Do not change event_outbox_lease while a relay runs.
//
// next_attempt_at belongs to the relay: on a row that never failed (retry_count 0) it has
// no effect. Do not set it to NULL: the relay finds the row by an index that has only rows
// with a value. A published row that is made unpublished by hand is found by a search, which
// may take minutes ([Tidier]). To delay an event, use outbox.WithDeliverAt. An empty
// event_key means no key.
//
// # Why these defaults
//
//	Term 3s, TermMargin 500ms     a dead leader is replaced within 5 s (3 s of silence, a look each 1.75 s, a
//	                              take-over); a renewal that fails is tried again before the deadline; clocks
//	                              may differ by a sixth
//	RenewEvery 1.25s              leaves as long again for a renewal that is slow or has to be repeated
//	ObserveEvery 1.75s            the most that keeps the 5 s; pgstore tells standbys of a clean end immediately
//	BufferRows 20,000,            reading ahead by several waves keeps the sender busy; the bytes bound memory
//	BufferBytes 64 MiB            whatever rows hold
//	UnsettledRows 5,000           a kill repeats no more rows than this: two waves of 2,500, of which one is sent
//	                              while the other is settled. "outboxbench -scenario repeats" shows the trade-off;
//	                              on two busy cores, rows of 500 bytes, medians of five rounds in turn:
//	                                5,000   16,500 rows/s   5,000 rows repeated by a kill
//	                                30,000  14,900 rows/s  26,200
//	PageRows 4,000, PageBytes     a few milliseconds of reading, so reading, sending and settling overlap
//	SettleRows 5,000              beyond that a statement takes no less time for each row, and holds the lease row
//	                              longer
//	WaveTimeout 10s               longer than a leader election, so that a rolling restart costs no repeats; all
//	                              partitions wait for the slowest that long, and once: afterwards a fifth of it
//	PollMin 10ms, PollMax 200ms   200 ms is the latency that holds without any wake-up
//	IdleWait 30s                  an idle outbox costs two statements a second, leader and standby together: 0.8
//	                              renewals, 0.6 looks at the lease, 0.25 waits for inserts, 0.1 searches, the rest
//	                              snapshots to be sure and counts (outboxbench -scenario idle counts them); pgstore
//	                              finds a row within 25 ms, in an outbox that shares its sessions within 225 ms
//	DecisionsEvery 1m             a renewal reports them, so this is only a precaution
//	StatsEvery 15s                numbers for charts, which are read less often
//	MaxAttempts 10, Retry 1s..5m  about 9 minutes before a row is given up: long enough to raise a topic's limit,
//	                              short enough to be noticed
//	Pause 0.5s..30s               a topic that is created is found within half a minute
//	Outage 0.1s..5s               rows move within 5 s of Kafka's return
//	OnDead park                   one bad row holds up no other; choose block where a gap is worse than a halt
//	Keep 7 days                   time to look at what was sent; the sweep deletes 5,000 rows a minute, ten times
//	                              that while it lags
//
// # How it is built
//
// The protocol is a state machine without I/O (machine.go has a map of its parts): its
// input is what happened, its output is what to do. Run drives it with goroutines
// (driver.go). The tests drive the same code, several instances at the same time, with a
// virtual clock, random interleavings and every fault above, and check each record as it
// is appended; with each rule switched off they find the violation that it prevents.
package relay
