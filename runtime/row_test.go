package outbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

var fixedID = uuid.MustParse("018f3f6e-0000-7000-8000-000000000001")

// fixed makes rows repeatable.
func fixed(opts ...outbox.Option) []outbox.Option {
	return append([]outbox.Option{
		outbox.WithClock(clock), outbox.WithNewID(func() (uuid.UUID, error) { return fixedID, nil }),
	}, opts...)
}

func ptr[T any](v T) *T { return &v }

func TestNewRow(t *testing.T) {
	t.Parallel()
	state, err := trace.ParseTraceState("vendor=x")
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := baggage.Parse("tenant=t1,plan=a%20b;depth=1")
	if err != nil {
		t.Fatal(err)
	}
	span := trace.ContextWithSpanContext(baggage.ContextWithBaggage(context.Background(), tenant), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5}, TraceFlags: trace.FlagsSampled, TraceState: state,
	}))
	const id = "018f3f6e-0000-7000-8000-000000000001"
	cloud := graded
	cloud.Envelope = gen.EnvelopeCloudEvents
	bareType := graded
	bareType.Envelope, bareType.SchemaURI = gen.EnvelopeNone, ""
	keyed := graded
	keyed.Key = func(g *Graded) (string, error) { return "k-" + g.EssayID, nil }
	row := outbox.Row{
		ID: fixedID, AggregateType: "essay", AggregateID: "e1", EventType: graded.Type, Topic: graded.Topic, Key: ptr("e1"),
		CorrelationID: id,
		Data: []byte(`{"event_id":"018f3f6e-0000-7000-8000-000000000001","event_type":"school.essay.graded.v1",` +
			`"event_timestamp":"2026-05-01T12:00:00.123456Z","source_service":"grading","schema_version":1,` +
			`"correlation_id":"018f3f6e-0000-7000-8000-000000000001","data_schema_uri":"https://school.example/graded.v1",` +
			`"data":{"essay_id":"e1","grade":4},"metadata":null}`),
		Headers: []byte(`{"trace_id":"018f3f6e-0000-7000-8000-000000000001","source_service":"grading","schema_version":"1",` +
			`"occurred_at":"2026-05-01T12:00:00.123456Z","content_type":"application/json"}`),
	}
	with := func(change func(r *outbox.Row)) outbox.Row {
		changed := row
		change(&changed)
		return changed
	}
	replace := func(b []byte, pairs ...string) []byte {
		return []byte(strings.NewReplacer(pairs...).Replace(string(b)))
	}

	for name, test := range map[string]struct {
		event gen.EventType[Graded]
		ctx   context.Context
		opts  []outbox.Option
		want  outbox.Row
	}{
		"defaults": {event: graded, want: row},
		"everything": {
			event: keyed, ctx: span,
			opts: []outbox.Option{
				outbox.WithID(uuid.NameSpaceDNS), outbox.WithTime(noon.Add(time.Hour).In(time.FixedZone("x", 7200))), outbox.WithAggregateID("a1"),
				outbox.WithHeader("tenant", "é"), outbox.WithMetadata("n", 12345678901234567), outbox.WithMetadata("n", 3),
				outbox.WithMetadata("a", nil), outbox.WithCorrelationID("corr"), outbox.WithCausationID("cause"),
			},
			want: outbox.Row{
				ID: uuid.NameSpaceDNS, AggregateType: "essay", AggregateID: "a1", EventType: graded.Type, Topic: graded.Topic,
				Key: ptr("k-e1"), CorrelationID: "corr",
				Data: []byte(`{"event_id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","event_type":"school.essay.graded.v1",` +
					`"event_timestamp":"2026-05-01T13:00:00.123456Z","source_service":"grading","schema_version":1,` +
					`"correlation_id":"corr","data_schema_uri":"https://school.example/graded.v1",` +
					`"data":{"essay_id":"e1","grade":4},"metadata":{"a":null,"causation_id":"cause","n":3}}`),
				Headers: []byte(`{"trace_id":"corr","causation_id":"cause","source_service":"grading","schema_version":"1",` +
					`"occurred_at":"2026-05-01T13:00:00.123456Z","content_type":"application/json",` +
					`"traceparent":"00-01020300000000000000000000000000-0405000000000000-01","tracestate":"vendor=x","baggage":"plan=a%20b;depth=1,tenant=t1","tenant":"é"}`),
			},
		},
		"key by option": {event: keyed, opts: []outbox.Option{outbox.WithKey("mine")}, want: with(func(r *outbox.Row) { r.Key = ptr("mine") })},
		"correlation and cause by context": {
			event: graded,
			ctx:   outbox.ContextWithCausationID(outbox.ContextWithCorrelationID(context.Background(), "ctx"), "why"),
			want: with(func(r *outbox.Row) {
				r.CorrelationID = "ctx"
				r.Data = replace(r.Data, `"correlation_id":"`+id, `"correlation_id":"ctx`, `"metadata":null`, `"metadata":{"causation_id":"why"}`)
				r.Headers = replace(r.Headers, `"trace_id":"`+id+`"`, `"trace_id":"ctx","causation_id":"why"`)
			}),
		},
		"CloudEvents": {
			event: cloud, opts: []outbox.Option{outbox.WithMetadata("n", 1)},
			want: with(func(r *outbox.Row) {
				r.Data = []byte(`{"specversion":"1.0","id":"018f3f6e-0000-7000-8000-000000000001","source":"grading",` +
					`"type":"school.essay.graded.v1","time":"2026-05-01T12:00:00.123456Z","datacontenttype":"application/json",` +
					`"dataschema":"https://school.example/graded.v1","correlationid":"018f3f6e-0000-7000-8000-000000000001",` +
					`"metadata":"{\"n\":1}","subject":"e1","data":{"essay_id":"e1","grade":4}}`)
				r.Headers = replace(r.Headers, "application/json", "application/cloudevents+json; charset=UTF-8")
			}),
		},
		"bare data": {event: bareType, want: with(func(r *outbox.Row) { r.Data = []byte(`{"essay_id":"e1","grade":4}`) })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			got, err := test.event.NewRow(ctx, Graded{EssayID: "e1", Grade: 4}, fixed(test.opts...)...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(printable(test.want), printable(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// printable returns a row whose bytes a diff shows as text.
func printable(r outbox.Row) any {
	return struct {
		Row           outbox.Row
		Data, Headers string
	}{outbox.Row{
		ID: r.ID, AggregateType: r.AggregateType, AggregateID: r.AggregateID, EventType: r.EventType, Topic: r.Topic, Key: r.Key,
		Partition: r.Partition, CorrelationID: r.CorrelationID,
	}, string(r.Data), string(r.Headers)}
}

func TestCorrelationIDPrecedence(t *testing.T) {
	t.Parallel()
	inContext := outbox.ContextWithCorrelationID(context.Background(), "context")
	for name, test := range map[string]struct {
		ctx  context.Context
		data Graded
		opts []outbox.Option
		want string
	}{
		"option":   {inContext, Graded{EssayID: "e", CorrelationID: "data"}, []outbox.Option{outbox.WithCorrelationID("option")}, "option"},
		"context":  {inContext, Graded{EssayID: "e", CorrelationID: "data"}, nil, "context"},
		"data":     {context.Background(), Graded{EssayID: "e", CorrelationID: "data"}, nil, "data"},
		"event id": {context.Background(), Graded{EssayID: "e"}, nil, fixedID.String()},
	} {
		row, err := graded.NewRow(test.ctx, test.data, fixed(test.opts...)...)
		if err != nil || row.CorrelationID != test.want {
			t.Errorf("%s: %q, %v", name, row.CorrelationID, err)
		}
	}
}

// If the project says so, a correlation id must be a UUID, from every source.
func TestCorrelationIDIsUUID(t *testing.T) {
	t.Parallel()
	const id = "3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"
	option := func(id string) []outbox.Option { return []outbox.Option{outbox.WithCorrelationID(id)} }
	of := func(id string) context.Context { return outbox.ContextWithCorrelationID(context.Background(), id) }
	refused := func(id, from string) string {
		return `outbox: insert event school.essay.graded.v1 ` + fixedID.String() + `: the correlation id "` + id + `", given ` + from +
			`, is not a UUID such as 018fd0a0-0000-7000-8000-000000000001: outboxgen.yaml of this package says correlation_id: uuid`
	}
	for name, test := range map[string]struct {
		ctx       context.Context
		data      string
		opts      []outbox.Option
		want, err string
	}{
		"by an option":      {context.Background(), "", option(id), id, ""},
		"in upper case":     {context.Background(), "", option(strings.ToUpper(id)), strings.ToUpper(id), ""},
		"by the context":    {of(id), "", nil, id, ""},
		"by the data":       {context.Background(), id, nil, id, ""},
		"by nobody":         {context.Background(), "", nil, fixedID.String(), ""},
		"option":            {of(id), id, option("request-1"), "", refused("request-1", "by WithCorrelationID")},
		"context":           {of("request-1"), id, nil, "", refused("request-1", "by the context (ContextWithCorrelationID)")},
		"data":              {context.Background(), "request-1", nil, "", refused("request-1", "by the event data")},
		"another form":      {context.Background(), "{" + id + "}", nil, "", refused("{"+id+"}", "by the event data")},
		"without hyphens":   {context.Background(), strings.ReplaceAll(id, "-", ""), nil, "", refused(strings.ReplaceAll(id, "-", ""), "by the event data")},
		"36 other letters":  {context.Background(), strings.Repeat("x", 36), nil, "", refused(strings.Repeat("x", 36), "by the event data")},
		"the setting loose": {context.Background(), "request-1", nil, "request-1", ""},
	} {
		event := graded
		event.CorrelationUUID = name != "the setting loose"
		row, err := event.NewRow(test.ctx, Graded{EssayID: "e", CorrelationID: test.data}, fixed(test.opts...)...)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if row.CorrelationID != test.want || text != test.err {
			t.Errorf("%s: %q, want %q; the error is\n%s\nwant\n%s", name, row.CorrelationID, test.want, text, test.err)
		}
		if _, ok := errors.AsType[*outbox.InsertError](err); ok != (test.err != "") {
			t.Errorf("%s: the error is a %T", name, err)
		}
	}
}

// The last option wins, in every way to give options.
func TestOptionsOfWith(t *testing.T) {
	t.Parallel()
	event := outbox.With(outbox.With(Graded{EssayID: "e"}, outbox.WithKey("1")), outbox.WithKey("2"))
	row, err := event.NewRow(t.Context(), outbox.WithKey("0"))
	if err != nil || *row.Key != "2" {
		t.Errorf("key %v, %v", row.Key, err)
	}
}

// Another topic changes the target of the record, and nothing else.
func TestWithTopic(t *testing.T) {
	t.Parallel()
	rowOf := func(opts ...outbox.Option) outbox.Row {
		t.Helper()
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		row, err := graded.NewRow(t.Context(), Graded{EssayID: "e"}, append(opts, outbox.WithID(uuid.NameSpaceDNS), outbox.WithTime(at))...)
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	want := rowOf()
	want.Topic = "tenant-7.graded"
	if diff := cmp.Diff(want, rowOf(outbox.WithTopic("tenant-7.graded"))); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}

// A partition is set for the record, and nothing else changes.
func TestWithPartition(t *testing.T) {
	t.Parallel()
	for _, n := range []int32{0, 7} {
		want, err := graded.NewRow(t.Context(), Graded{EssayID: "e"}, fixed()...)
		if err != nil {
			t.Fatal(err)
		}
		want.Partition = &n
		got, err := graded.NewRow(t.Context(), Graded{EssayID: "e"}, fixed(outbox.WithPartition(n))...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(printable(want), printable(got)); diff != "" {
			t.Errorf("row (-want +got):\n%s", diff)
		}
	}
}

func TestUnkeyed(t *testing.T) {
	t.Parallel()
	row, err := moved.NewRow(t.Context(), Moved{To: "x"}, outbox.WithAggregateID("c1"))
	if err != nil || row.Key != nil || row.ID.Version() != 7 {
		t.Errorf("%+v, %v", row, err)
	}
}

// A value that does not fit is an error that says which value and why. Nothing is truncated.
func TestNewRowRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("å", 256)
	topic := func(name string) gen.EventType[Graded] { e := graded; e.Topic = name; return e }
	keyed := graded
	keyed.Key = func(*Graded) (string, error) { return "", errors.New("is null") }
	typed := graded
	typed.Type = long
	for want, test := range map[string]struct {
		event gen.EventType[Graded]
		essay string
		opts  []outbox.Option
	}{
		"the aggregate id has 256 characters; the column holds at most 255":                              {event: graded, essay: long},
		"the aggregate id is empty":                                                                      {event: graded},
		"the aggregate id contains a NUL character, which Postgres cannot store":                         {event: graded, essay: "a\x00"},
		"the aggregate id is not UTF-8":                                                                  {event: graded, essay: "a\xff"},
		"the key is empty":                                                                               {event: graded, essay: "e", opts: []outbox.Option{outbox.WithKey("")}},
		"key: is null; set one with WithKey":                                                             {event: keyed, essay: "e"},
		"the event type has 256 characters; the column holds at most 255":                                {event: typed, essay: "e"},
		`"tenant 7" is not a valid Kafka topic name: only letters, digits, '.', '_' and '-' are allowed`: {event: graded, essay: "e", opts: []outbox.Option{outbox.WithTopic("tenant 7")}},
		"the topic given by WithTopic is empty":                                                          {event: graded, essay: "e", opts: []outbox.Option{outbox.WithTopic("")}},
		"the partition given by WithPartition is -1; partitions are numbered from 0":                     {event: graded, essay: "e", opts: []outbox.Option{outbox.WithPartition(-1)}},
		`"" is not a valid Kafka topic name`:                                                             {event: topic(""), essay: "e"},
		`".." is not a valid Kafka topic name`:                                                           {event: topic(".."), essay: "e"},
		`"a b" is not a valid Kafka topic name: only letters, digits, '.', '_' and '-' are allowed`:      {event: topic("a b"), essay: "e"},
		"the topic's name has 250 characters; Kafka allows 249":                                          {event: topic(strings.Repeat("t", 250)), essay: "e"},
		`the header "Trace_ID" is set by outboxgen and cannot be given`:                                  {event: graded, essay: "e", opts: []outbox.Option{outbox.WithHeader("Trace_ID", "x")}},
		`the header "outbox_replay" is set by outboxgen and cannot be given`:                             {event: graded, essay: "e", opts: []outbox.Option{outbox.WithHeader("outbox_replay", "x")}},
		`the header "baggage" is set by outboxgen and cannot be given`:                                   {event: graded, essay: "e", opts: []outbox.Option{outbox.WithHeader("baggage", "a=b")}},
		`the header "a" is given twice`:                                                                  {event: graded, essay: "e", opts: []outbox.Option{outbox.WithHeader("a", "1"), outbox.WithHeader("a", "2")}},
		"a header has no name":                                                                           {event: graded, essay: "e", opts: []outbox.Option{outbox.WithHeader("", "x")}},
		`metadata "f": json: unsupported type: func()`:                                                   {event: graded, essay: "e", opts: []outbox.Option{outbox.WithMetadata("f", func() {})}},
		"the id given by WithID is the nil UUID":                                                         {event: graded, essay: "e", opts: []outbox.Option{outbox.WithID(uuid.Nil)}},
		"make an event id: no entropy":                                                                   {event: graded, essay: "e", opts: []outbox.Option{outbox.WithNewID(func() (uuid.UUID, error) { return uuid.Nil, errors.New("no entropy") })}},
	} {
		_, err := test.event.NewRow(t.Context(), Graded{EssayID: test.essay}, test.opts...)
		insert := isError[*outbox.InsertError](t, err)
		if diff := cmp.Diff(want, insert.Err.Error()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	_, err := moved.NewRow(t.Context(), Moved{})
	if want := "outbox: insert event school.class.moved.v1"; !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "WithAggregateID") {
		t.Errorf("error %q", err)
	}
	_, err = graded.NewRow(t.Context(), Graded{EssayID: "e"}, outbox.WithHeader("h", "\xff"))
	wantError[*outbox.InsertError](t, err)
	_, err = graded.NewRow(t.Context(), Graded{EssayID: "e"}, outbox.WithCorrelationID("\xff"))
	wantError[*outbox.InsertError](t, err)
}

func TestDeterministicID(t *testing.T) {
	t.Parallel()
	a := outbox.DeterministicID(uuid.NameSpaceURL, "ab", "c")
	if want := uuid.NewSHA1(uuid.NameSpaceURL, []byte("2:ab1:c")); a != want || a.Version() != 5 {
		t.Errorf("%s, want %s", a, want)
	}
	if a == outbox.DeterministicID(uuid.NameSpaceURL, "a", "bc") {
		t.Error("parts run into each other")
	}
}
