package endtoend_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// blocks returns the code blocks of a section of the documentation.
func blocks(t *testing.T, page, heading, language string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", page))
	must(t, err)
	_, section, found := strings.Cut(string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no section %s", page, heading)
	}
	level, _, _ := strings.Cut(heading, " ")
	if end := regexp.MustCompile(`(?m)^#{1,` + string(rune('0'+len(level))) + `} `).FindStringIndex(section); end != nil {
		section = section[:end[0]]
	}
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		list = append(list, match[1])
	}
	return list
}

// legacyOrder is the payload of an old table.
type legacyOrder struct {
	OrderID string `json:"order_id"`
}

func (o legacyOrder) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"order_id": o.OrderID})
}

func (legacyOrder) Validate() error { return nil }

// The statements of "A table of another shape" keep the old rows, and generated handlers
// decode the events that the relay then publishes.
func TestRowsOfATableOfAnotherShape(t *testing.T) {
	const topic = "shop.order_placed.v1"
	sql := blocks(t, "migrating.md", "### A table of another shape", "sql")
	if len(sql) != 5 {
		t.Fatalf("the section has %d SQL statements, not 5", len(sql))
	}
	create, rename := sql[0], sql[2]
	for kind, move := range map[gen.EnvelopeKind]string{gen.EnvelopeOutbox: sql[3], gen.EnvelopeNone: sql[4]} {
		t.Run(kind.String(), func(t *testing.T) {
			services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
				for _, statement := range []string{
					create,
					`INSERT INTO event_outbox (payload, sent_at) VALUES ('{"order_id": "sent"}', now())`,
					`INSERT INTO event_outbox (payload) VALUES ('{"order_id": "1"}'), ('{"order_id": "2"}'), ('{"order_id": "3"}')`,
					rename,
				} {
					_, err := pg.Pool.Exec(t.Context(), statement)
					must(t, err)
				}
				k := services.KFake(t)
				k.CreateTopic(t, topic, 1)
				p := newPath(t, pg, k, nil)
				_, err := pg.Pool.Exec(t.Context(), move)
				must(t, err)

				type handled struct {
					order string
					id    uuid.UUID
				}
				seen := make(chan handled, 10)
				router := consume.NewRouter(consume.OnUnknown(consume.Fail))
				gen.On(router, &gen.EventType[legacyOrder]{Type: topic, Topic: topic, Envelope: kind},
					func(_ context.Context, e outbox.Envelope[legacyOrder]) error {
						seen <- handled{e.Data.OrderID, e.EventID}
						return nil
					})
				p.relay()
				p.consume(router, topic)
				var orders []string
				ids := map[uuid.UUID]bool{}
				for range 3 {
					select {
					case h := <-seen:
						orders = append(orders, h.order)
						ids[h.id] = true
					case <-time.After(patience):
						t.Fatalf("only %v were handled", orders)
					}
				}
				equal(t, "the events, in the order of the old table", []string{"1", "2", "3"}, orders)
				equal(t, "their ids", 3, len(ids))
			})
		})
	}
}
