package debezium_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/outboxgen/outboxgen/cmd/internal/debezium"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

const (
	gradedTopic  = "grading.essay.graded.v1"
	otherTopic   = "grading.other_1-2"
	prefix       = "debezium." // of Debezium's topics
	ownHeader    = "x-Tenant-id"
	secondHeader = "x_second"
	equalRows    = 10_000 // of generated code, beside the hostile rows
)

// Debezium, with the settings that "outboxgen export debezium" writes, and the relay
// publish equal records for the same rows: key, value, headers in order, partition, and
// the order of each key. The differences are exactly those that docs/debezium.md lists.
func TestEqualRecords(t *testing.T) {
	t.Parallel()
	topics := []string{gradedTopic, otherTopic}
	l := newLab(t, gradedTopic, otherTopic, prefix+gradedTopic, prefix+otherTopic)
	began := time.Now()
	half := equalRows / 2
	l.insertGenerated(0, half)
	connect := l.connect(map[string]string{
		"transforms.router.route.topic.replacement": prefix + "${routedByValue}",
	})
	if err := connect.Start(l.context()); err != nil {
		t.Fatal(err)
	}
	conn := l.pg.Connect(t.Context())
	if err := connect.Streams(l.context(), conn); err != nil {
		t.Fatal(err)
	}
	l.insertGenerated(half, equalRows)
	l.insertHostile()
	all := equalRows + len(hostileRows())
	l.relay()
	l.eventually("the relay has published all rows", "SELECT count(*) = $1 FROM event_outbox WHERE published_at IS NOT NULL", all)

	ours, theirs := l.read(all, topics...), l.readFrom(connect, all, prefix+gradedTopic, prefix+otherTopic)
	for _, r := range theirs {
		r.Topic = strings.TrimPrefix(r.Topic, prefix)
	}
	compareOrder(t, ours, theirs)
	compareRecords(t, ours, theirs, began)
	t.Logf("%d rows in %s", all, time.Since(began).Round(time.Second))
}

// connect prepares a connector for the outbox of the lab.
func (l *lab) connect(settings map[string]string) *debezium.Connect {
	l.t.Helper()
	connect, err := debezium.New(debezium.Config{
		Postgres: l.tcp, Brokers: l.kafka.Brokers, Slot: "outbox", Equal: true,
		Headers: []string{ownHeader, secondHeader}, Settings: settings,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := connect.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return connect
}

// readFrom reads what a connector publishes, and shows its log if that does not arrive.
func (l *lab) readFrom(connect *debezium.Connect, n int, topics ...string) []*kgo.Record {
	l.t.Helper()
	l.t.Cleanup(func() {
		if l.t.Failed() {
			l.t.Logf("the log of Kafka Connect:\n%s", connect.Log())
		}
	})
	return l.read(n, topics...)
}

// insertGenerated inserts rows with the sample's generated function, 100 in a transaction.
// They use every option that changes a record.
func (l *lab) insertGenerated(from, to int) {
	l.t.Helper()
	const atOnce = 100
	random := rand.New(rand.NewPCG(1, uint64(from)))
	for first := from; first < to; first += atOnce {
		err := l.ob.InTx(l.context(), func(ctx context.Context, tx *outbox.Tx) error {
			for i := first; i < min(first+atOnce, to); i++ {
				ctx, opts := optionsOf(ctx, i)
				if err := events.InsertEssayGradedV1(ctx, tx, essay(i, random), opts...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
}

// odd is text that is easily damaged on the way.
const odd = "é ß 漢字 🎓 \u2028 \u0001 \t\n\r \" \\ / </script> \u00a0 \ufeff ${env:HOME} %s ' \U0010ffff"

func essay(i int, random *rand.Rand) events.EssayGradedV1 {
	e := events.EssayGradedV1{
		BatchID: fmt.Sprintf("batch-%d", i%50), EssayID: uuid.New(), Number: int64(i + 1), Score: random.Float64(),
		Grade: events.GradeB, GradedAt: time.Now(),
	}
	switch i % 7 {
	case 1:
		comment := odd
		e.Comment = &comment
	case 2:
		comment := strings.Repeat("長", random.IntN(2000))
		e.Comment, e.BatchID = &comment, "Klasse 7b – 🎓 "+fmt.Sprint(i%5)
	case 3:
		e.Score = []float64{0, 1, 1e-300, 0.1 + 0.2}[i%4]
	}
	return e
}

// optionsOf returns the options of a row, and its context.
func optionsOf(ctx context.Context, i int) (context.Context, []outbox.Option) {
	var opts []outbox.Option
	if i%3 == 0 {
		opts = append(opts, outbox.WithHeader(ownHeader, odd))
	}
	if i%5 == 0 {
		opts = append(opts, outbox.WithHeader(secondHeader, ""))
	}
	if i%6 == 0 {
		opts = append(opts, outbox.WithCausationID("cause "+odd))
	}
	if i%8 == 0 {
		opts = append(opts, outbox.WithPartition(int32(i/8%partitions)))
	}
	if i%9 == 0 {
		opts = append(opts, outbox.WithTopic(otherTopic))
	}
	if i%10 == 0 {
		opts = append(opts, outbox.WithKey(fmt.Sprintf("%d %s", i%3, strings.ReplaceAll(odd, "\u0001", ""))))
	}
	if i%11 == 0 {
		opts = append(opts, outbox.WithMetadata("note", odd))
	}
	if i%4 == 0 {
		ctx = traced(ctx, byte(i))
	}
	return outbox.ContextWithCorrelationID(ctx, fmt.Sprintf("request %d", i)), opts
}

// traced returns a context with a span, and for some with a trace state and baggage.
func traced(ctx context.Context, n byte) context.Context {
	config := trace.SpanContextConfig{TraceID: trace.TraceID{1, 15: n}, SpanID: trace.SpanID{2, 7: n}, TraceFlags: trace.FlagsSampled}
	if n%8 == 0 {
		config.TraceState, _ = trace.ParseTraceState("vendor=value,other=1")
		if bag, err := baggage.Parse("tenant=a%20b,region=eu"); err == nil {
			ctx = baggage.ContextWithBaggage(ctx, bag)
		}
	}
	return trace.ContextWithSpanContext(ctx, trace.NewSpanContext(config))
}

// hostileRow is a row that generated code does not write, or only with other schemas.
// differs says what of its record cannot be equal.
type hostileRow struct {
	name, key, data, headers string
	differs                  []string
}

// null is a NULL in the columns of a hostileRow.
const null = "NULL"

func hostileRows() []hostileRow {
	const usual = `{"trace_id": "t", "source_service": "s", "schema_version": "1"}`
	big := func(bytes int) string { return `{"text": "` + strings.Repeat("é", bytes/2) + `"}` }
	return []hostileRow{
		{"no key", null, `{}`, usual, nil},
		{"a tombstone", "k", null, usual, nil},
		{"a tombstone without headers of its own", "k", null, `{}`, nil},
		{"no headers of its own", "k", `{}`, `{}`, nil},
		{"the value null", "k", `null`, usual, nil},
		{"an empty string", "k", `""`, usual, nil},
		{"odd spaces, names and numbers", "k", " { \"a\" : 1.0E+400,\n\"a\":-0 , \"\": [ ] }\t", usual, nil},
		{"escapes that need not be", "k", `"\u0041\u0000\ud83c\udf93\/"`, usual, nil},
		{"a value of 900 kB", "k", big(900_000), usual, nil},
		{"a value of 5 MB", "k", big(5_000_000), usual, nil},
		{"a null byte in a header", "k", `{}`, `{"trace_id": "a\u0000b"}`, nil},
		{"a header of 100 kB", "k", `{}`, `{"trace_id": "` + strings.Repeat("é", 50_000) + `"}`, nil},
		{"reserved headers", "k", `{}`, `{"event_id": "x", "trace_id": "t", "event_type": "x", "outbox_replay": "x"}`, nil},
		{"headers with the names of transforms", "k", `{}`, `{"op": "x", "after": "x", "before": "x", "source": "x", "payload": "x", "id": "x", "outbox_event_data": "x"}`, []string{"headers, Debezium: none"}},

		{"an empty key", "", `{}`, usual, []string{"key"}},
		{"a header that is not in the settings", "k", `{}`, `{"trace_id": "t", "x-other": "o"}`, []string{`headers, Debezium: "trace_id": "t"`}},
		{"headers in another order", "k", `{}`, `{"source_service": "s", "trace_id": "t"}`, []string{`headers, Debezium: "trace_id": "t", "source_service": "s"`}},
		{"a header twice", "k", `{}`, `{"trace_id": "1", "trace_id": "2"}`, []string{`headers, Debezium: "trace_id": "2"`}},
		{"half a character in a header", "k", `{}`, `{"trace_id": "\ud800"}`, []string{`headers, Debezium: "trace_id": "?"`}},
	}
}

// insertHostile inserts the hostile rows. The type of a row is its name.
func (l *lab) insertHostile() {
	l.t.Helper()
	value := func(text string) *string {
		if text == null {
			return nil
		}
		return &text
	}
	for _, r := range hostileRows() {
		_, err := l.pg.Pool.Exec(l.t.Context(), `
			INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
			VALUES ('1', 'hostile', $1, $2, $3, $4, $5)`, r.name, otherTopic, value(r.key), value(r.data), r.headers)
		if err != nil {
			l.t.Fatalf("%s: %v", r.name, err)
		}
	}
}

// compareOrder compares the events of each key, in the order of the topic.
func compareOrder(t *testing.T, ours, theirs []*kgo.Record) {
	t.Helper()
	order := func(list []*kgo.Record) map[string][]string {
		byKey := map[string][]string{}
		for _, r := range list {
			if len(r.Key) > 0 {
				where := fmt.Sprintf("%s/%d/%q", r.Topic, r.Partition, r.Key)
				byKey[where] = append(byKey[where], header(r, "event_id"))
			}
		}
		return byKey
	}
	if diff := cmp.Diff(order(ours), order(theirs)); diff != "" {
		t.Errorf("keys have other events, or in another order (-relay +Debezium):\n%s", diff)
	}
}

// compareRecords compares the records of each event, and the differences with those that
// are expected.
func compareRecords(t *testing.T, ours, theirs []*kgo.Record, began time.Time) {
	t.Helper()
	byID := map[string]*kgo.Record{}
	for _, r := range theirs {
		byID[header(r, "event_id")] = r
	}
	got, want := map[string][]string{}, map[string][]string{}
	for _, row := range hostileRows() {
		if row.differs != nil {
			want[row.name] = row.differs
		}
	}
	sameTime := 0
	for _, r := range ours {
		other := byID[header(r, "event_id")]
		if other == nil {
			t.Errorf("Debezium did not publish the event %s (%s)", header(r, "event_id"), header(r, "event_type"))
			continue
		}
		name := header(r, "event_type")
		if name == gradedTopic {
			name += " " + header(r, "event_id")
		}
		if parts := differences(r, other); len(parts) > 0 {
			got[name] = parts
		}
		if r.Timestamp.Equal(other.Timestamp) {
			sameTime++
		}
		for _, record := range []*kgo.Record{r, other} { // in milliseconds
			if record.Timestamp.Before(began.Add(-time.Second)) || record.Timestamp.After(time.Now()) {
				t.Errorf("%s was sent at %s, says its timestamp", name, record.Timestamp)
			}
		}
	}
	if sameTime == len(ours) {
		t.Error("all timestamps are equal: remove them from the differences in docs/debezium.md")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		for name := range maps.Keys(got) {
			if want[name] == nil {
				i := slices.IndexFunc(ours, func(r *kgo.Record) bool {
					return name == header(r, "event_type") || strings.HasSuffix(name, header(r, "event_id"))
				})
				other := byID[header(ours[i], "event_id")]
				t.Logf("%s: relay %.300q\nDebezium %.300q\nheaders %.600s\nheaders %.600s", name, ours[i].Value, other.Value, show(ours[i]), show(other))
				break
			}
		}
		t.Errorf("other differences than expected (-want +got):\n%.5000s", diff)
	}
}

// differences lists the parts in which the records differ.
func differences(a, b *kgo.Record) (list []string) {
	add := func(what string, same bool) {
		if !same {
			list = append(list, what)
		}
	}
	add("topic", a.Topic == b.Topic)
	add("key", string(a.Key) == string(b.Key) && (a.Key == nil) == (b.Key == nil))
	add("value", string(a.Value) == string(b.Value) && (a.Value == nil) == (b.Value == nil))
	const columns = 2 // event_id and event_type, which are never different
	theirs := strings.Join(strings.Split(strings.TrimSpace(show(b)), "\n")[min(columns, len(b.Headers)):], ", ")
	if theirs == "" {
		theirs = "none"
	}
	add("headers, Debezium: "+theirs, show(a) == show(b))
	if len(a.Key) > 0 { // without a key, each producer chooses a partition as it likes
		add("partition", a.Partition == b.Partition)
	}
	return list
}

// show shows the headers, a missing value other than an empty one.
func show(r *kgo.Record) string {
	var b strings.Builder
	for _, h := range r.Headers {
		value := fmt.Sprintf("%q", h.Value)
		if h.Value == nil {
			value = "null"
		}
		fmt.Fprintf(&b, "%q: %s\n", h.Key, value)
	}
	return b.String()
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
