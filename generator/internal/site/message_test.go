package site

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/record"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// described returns the project of a service with the files of a txtar-like map.
func described(t *testing.T, service string, files map[string]string) *schema.Project {
	t.Helper()
	fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte("version: 1\nservice: " + service + "\nschemas: ['*.yaml']\nout: events\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	project, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	return project
}

// contains reports texts that a page lacks, and those that it must not have, which begin
// with an exclamation mark.
func contains(t *testing.T, site map[string]string, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		forbidden := strings.HasPrefix(text, "!")
		if text = strings.TrimPrefix(text, "!"); strings.Contains(site[page], text) == forbidden {
			t.Errorf("%s: contains %q: %t\n%s", page, text, forbidden, site[page])
		}
	}
}

const payments = `asyncapi: 3.0.0
info: {title: Payments, version: 1.0.0, description: Takes the money., contact: {name: Team Pay, email: pay@example.com}}
channels:
  payments:
    address: payments
    messages:
      paid:
        name: payment.received.v1
        title: Payment received
        description: A customer, e.g. a company, has paid. More.
        payload: {$ref: '#/components/schemas/Dto'}
        examples: [{payload: {id: p-1}}]
        x-outbox: {envelope: outbox, data_schema_uri: 'https://example.com/dto', aggregate: {type: payment, id: /id}}
components:
  schemas: {Dto: {title: PaymentDto, description: A payment., type: object, required: [id], properties: {id: {type: string}}}}
operations:
  send: {action: send, channel: {$ref: '#/channels/payments'}}
`

// What a message of AsyncAPI says comes before what its payload says: several messages may
// share one payload.
func TestMessageTexts(t *testing.T) {
	t.Parallel()
	project := described(t, "payments", map[string]string{"asyncapi.yaml": payments})
	site := pagesOf(t, Options{Title: "x"}, project)
	contains(t, site, "events/payment.received.v1.html",
		`<h1 class="name">Payment received</h1>`, "A customer, e.g. a company, has paid. More.", `!<p>A payment.`,
		`<code>{
  &#34;id&#34;: &#34;p-1&#34;
}</code>`, "From the message in the document of AsyncAPI; valid.",
		`&#34;data_schema_uri&#34;: &#34;https://example.com/dto&#34;`, "<dd>https://example.com/dto</dd>", "<dd>payment; its id is the field id</dd>")
	contains(t, site, "index.html", `<span class="summary">A customer, e.g. a company, has paid.</span>`)
	if diff := cmp.Diff(schema.About{Owner: "Team Pay, pay@example.com", Description: "Takes the money."}, project.Config.About); diff != "" {
		t.Errorf("about the service (-want +got):\n%s", diff)
	}
}

// A service that only consumes an event is no publisher of it. Its description of the event
// counts if there is no other.
func TestConsumers(t *testing.T) {
	t.Parallel()
	publisher := described(t, "payments", map[string]string{"asyncapi.yaml": payments})
	received := strings.NewReplacer("send: {action: send", "onPaid: {action: receive", "A customer, e.g. a company, has paid. More.", "Somebody paid.").Replace(payments)
	consumer := described(t, "orders", map[string]string{"asyncapi.yaml": received})
	const page, unknown = "events/payment.received.v1.html", "a service that is not in this catalogue"

	both := pagesOf(t, Options{Title: "x"}, consumer, publisher)
	contains(t, both, page, `<dt>Published by</dt><dd><a href="../services/payments.html">payments</a>`, `<dt>Consumed by</dt><dd><a href="../services/orders.html">orders</a>`,
		"!differently", "!Somebody paid.", "!"+unknown)
	contains(t, both, "services/orders.html", "The service publishes no events.", `Events that the service consumes`, `<a href="../events/payment.received.v1.html">Payment received</a>`)
	contains(t, both, "services/payments.html", "!Events that the service consumes")
	contains(t, both, "topics/payments.html", `<dt>Published by</dt><dd><a href="../services/payments.html">payments</a></dd>`, "!orders")

	alone := pagesOf(t, Options{Title: "x"}, consumer)
	contains(t, alone, page, "<dt>Published by</dt><dd>"+unknown, "Somebody paid.", "and so is the name of the service", `&#34;source_service&#34;: &#34;other_service&#34;`, "!Record key")
	contains(t, alone, "topics/payments.html", "<dt>Published by</dt><dd>"+unknown)
	contains(t, alone, "index.html", unknown, `data-services=" orders "`)
}

// The record of a page is one that the service can insert: its data has the key and the
// aggregate id. Otherwise the page says that the data differs from the example.
func TestRecordHasItsKey(t *testing.T) {
	t.Parallel()
	const event = `
title: Placed
x-outbox: {version: 1, type: order.placed.v1, aggregate: {type: order, id: /order_id}, correlation: /trace}
type: object
properties: {order_id: {type: string, minLength: 1}, trace: {type: string}}
examples: [{trace: abc}]
`
	project := described(t, "orders", map[string]string{"placed.yaml": event})
	site := pagesOf(t, Options{Title: "x"}, project)
	contains(t, site, "events/order.placed.v1.html", "The data is another example", `<dt>Key</dt><dd><code>order-1</code>`, `&#34;order_id&#34;: &#34;order-1&#34;`)

	e := project.Events[0]
	e.CorrelationUUID = true
	found := example.Of(e.Schema, validator.New(true))
	if r := record.Of(e, "orders", found.Value, true); !strings.Contains(r.Value, `"correlation_id":"`+record.ID+`"`) {
		t.Errorf("the correlation id is no UUID, which the runtime refuses: %s", r.Value)
	}
}

// Versions are paired whatever separates the version from the type, and the page says that
// consumers have to handle the new type, whatever happened to the data.
func TestVersionsOfTypes(t *testing.T) {
	t.Parallel()
	const event = "title: %2\nx-outbox: {version: %1, type: %2, topic: orders, envelope: %3, aggregate: {type: order}}\ntype: object\n"
	file := func(version, eventType, envelope string) string {
		return strings.NewReplacer("%1", version, "%2", eventType, "%3", envelope).Replace(event)
	}
	site := pagesOf(t, Options{Title: "x", Changes: func(old, now *schema.Event) []finding.Finding {
		if old.Envelope != now.Envelope {
			return []finding.Finding{{ID: "envelope-changed", Severity: finding.Error, Message: "the envelope changed"}}
		}
		return nil
	}}, described(t, "orders", map[string]string{
		"a1.yaml": file("1", "order_placed_v1", "outbox"), "a2.yaml": file("2", "order_placed_v2", "outbox"),
		"b1.yaml": file("1", "OrderPaid", "none"), "b2.yaml": file("2", "OrderPaidV2", "outbox"),
	}))
	const later = "code for version 1 does not receive it until it also handles"
	contains(t, site, "events/order_placed_v2.html", `href="../events/order_placed_v1.html"`, later, "The rules find no other change", "!no earlier version")
	contains(t, site, "events/"+slug("OrderPaidV2")+".html", later, "<strong>cannot</strong> read the records of version 1: they have another envelope")
	contains(t, site, "events/order_placed_v1.html", "The catalogue has no earlier version.")
}

// A topic promises an order only for records with a key.
func TestOrderOfTopics(t *testing.T) {
	t.Parallel()
	const event = "title: %\nx-outbox: {version: 1, type: %, aggregate: {type: order}, key: null}\ntype: object\n"
	site := pagesOf(t, Options{Title: "x"}, described(t, "orders", map[string]string{
		"a.yaml": strings.ReplaceAll(event, "%", "a.v1"), "b.yaml": strings.Replace(strings.ReplaceAll(event, "%", "b.v1"), ", key: null", "", 1),
	}))
	contains(t, site, "topics/a.v1.html", "!keep the order")
	contains(t, site, "topics/b.v1.html", "Events of one service with the same key")
}

// The row of the data itself has the marks of every row, and a value with several enums has
// the values that all of them have.
func TestRootAndEnums(t *testing.T) {
	t.Parallel()
	const event = `
title: Placed
x-outbox: {version: 1, type: order.placed.v1, aggregate: {type: order, id: ''}}
type: [string, 'null']
allOf: [{enum: [a, b, c, null]}, {enum: [b, c, d, null]}]
`
	root, _, _ := fieldsOf(described(t, "orders", map[string]string{"placed.yaml": event}).Events[0])
	var values []string
	for _, v := range root.Values {
		values = append(values, v.Value)
	}
	if diff := cmp.Diff([]string{"may be null", "record key", "aggregate id"}, root.Marks); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{`"b"`, `"c"`, "null"}, values); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Sent when an order, e.g. a subscription, is placed. More.": "Sent when an order, e.g. a subscription, is placed.",
		"Written by J. Doe. More.":                                  "Written by J. Doe.",
		"Without an end":                                            "Without an end",
		"Names, amounts, etc. of an order. More.":                   "Names, amounts, etc. of an order.",
		". A dot alone. More.":                                      ".",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestFieldName(t *testing.T) {
	t.Parallel()
	for pointer, want := range map[string]string{"/order_id": "order_id", "/customer/id": "customer.id", "/lines/0/sku": "lines[0].sku", "/0": "[0]", "/a~1b/c~0d": "a/b.c~d"} {
		if got := fieldName(pointer); got != want {
			t.Errorf("%s is %q, want %q", pointer, got, want)
		}
	}
}

// The specification allows no references in examples, but the tools of AsyncAPI follow
// them, so documents have them.
func TestExamplesInFiles(t *testing.T) {
	t.Parallel()
	for name, example := range map[string]string{
		"whole":   "{$ref: examples.json#/whole}",
		"payload": "{payload: {$ref: examples.json#/whole/payload}}",
		"broken":  "{payload: {$ref: lost.json}}, {$ref: examples.json#/lost}, {payload: {id: p-7}}",
	} {
		document := strings.Replace(payments, "[{payload: {id: p-1}}]", "["+example+"]", 1)
		project := described(t, "payments", map[string]string{"asyncapi.yaml": document, "examples.json": `{"whole": {"payload": {"id": "p-7"}}}`})
		var got []string
		for _, v := range project.Events[0].Examples {
			got = append(got, v.JSON())
		}
		if diff := cmp.Diff([]string{`{"id":"p-7"}`}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
