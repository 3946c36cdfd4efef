package endtoend_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/testdata/golden/asyncapi/events"
)

// accounting is the example of docs/consuming.md.
func accounting(pool *pgxpool.Pool) *consume.Router {
	router := consume.NewRouter(consume.ForTopic("golden.invoices", consume.TopicOptions{
		EventType: "golden.invoice_paid.v2",
		IDFrom:    consume.FromJSON("/invoice"),
	}))
	events.OnInvoicePaidV2(router, inbox.Tx(pool, "accounting",
		func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[events.InvoicePaidV2]) error {
			_, err := tx.Exec(ctx, "INSERT INTO paid (invoice, amount) VALUES ($1, $2)", e.Data.Invoice, e.Data.Amount)
			return err
		}))
	return router
}

// Events of a team that does not use outboxgen are handled once, although its records
// have no headers, its ids are no UUIDs, and it publishes an event twice.
func TestEventsOfOtherTeams(t *testing.T) {
	const topic = "golden.invoices"
	each(t, func(p *path) {
		_, err := p.pg.Pool.Exec(p.t.Context(), `CREATE TABLE paid (invoice text NOT NULL, amount bigint NOT NULL)`)
		must(p.t, err)
		client, err := kgo.NewClient(kgo.SeedBrokers(p.kafka.Brokers...))
		must(p.t, err)
		p.t.Cleanup(client.Close)
		publish := func(values ...string) {
			for _, value := range values {
				must(p.t, client.ProduceSync(p.t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value)}).FirstErr())
			}
		}
		publish(`{"invoice": "a", "amount": 1}`, `{"invoice": "a", "amount": 1}`, `{"invoice": "b", "amount": 2}`)
		end := p.consume(accounting(p.pg.Pool), topic)
		p.eventually("the last invoice is handled", `select exists (select from paid where invoice = 'b')`)
		end()

		p.consume(accounting(p.pg.Pool), topic) // another group, with the same inbox
		publish(`{"invoice": "c", "amount": 3}`)
		p.eventually("the new invoice is handled", `select exists (select from paid where invoice = 'c')`)
		rows, err := p.pg.Pool.Query(p.t.Context(), `select invoice || ' ' || amount from paid order by 1`)
		must(p.t, err)
		paid, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(p.t, err)
		equal(p.t, "paid invoices", []string{"a 1", "b 2", "c 3"}, paid)
	}, topic)
}

// The documentation has the code that the test runs.
func TestTheExampleOfOtherTeams(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("foreign_test.go")
	must(t, err)
	example := blocks(t, "consuming.md", "## Events of other teams", "go")[0]
	example = "\t" + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n\t"), "billing.", "golden.") + "\n"
	if !strings.Contains(string(source), example) {
		t.Errorf("accounting has no such code:\n%s", example)
	}
}
