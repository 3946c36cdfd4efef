package python_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// classRenamed is the model that datamodel-code-generator writes for the schema in
// docs/python.md.
const classRenamed = `from pydantic import BaseModel


class ClassRenamed(BaseModel):
    class_id: str
    name: str
    room: str | None = None
`

// The code of docs/python.md inserts an event that omits what is not set, and
// handles it once.
func TestDocsWriteAndHandle(t *testing.T) {
	python := interpreter(t)
	pg := services.Postgres(t)
	conn, err := pg.Pool.Acquire(t.Context())
	must(t, err)
	must(t, migrations.Up(t.Context(), conn.Conn()))
	conn.Release()
	s := newService(t, python, pg, &services.RedisServer{})
	must(t, os.Mkdir(filepath.Join(s.dir, "models"), 0o700))
	must(t, os.WriteFile(filepath.Join(s.dir, "models", "school_class_renamed_v1.py"), []byte(classRenamed), 0o600))
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "python.md"))
	must(t, err)
	program := section(t, string(page), "Write an event") + section(t, string(page), "Handle each event once") + `
with engine.connect() as connection:
    value = connection.execute(text("SELECT event_data::text FROM event_outbox")).scalar_one().encode()
handle(value)
handle(value)
`
	must(t, os.WriteFile(filepath.Join(s.dir, "docs.py"), []byte(program), 0o600))
	equal(t, "handled", "7b Year 7, group B\n", s.run(psycopg, "docs.py"))

	equal(t, "row", []string{"class 7b school.class_renamed.v1 school.class_renamed.v1 7b t t"}, texts(t, pg,
		`SELECT concat_ws(' ', aggregate_type, aggregate_id, event_type, topic, event_key,
			id::text = event_data->>'event_id', headers IS NULL) FROM event_outbox`))
	var value map[string]any
	must(t, json.Unmarshal([]byte(texts(t, pg, `SELECT event_data::text FROM event_outbox`)[0]), &value))
	for _, name := range []string{"event_id", "correlation_id"} {
		id, _ := value[name].(string)
		if _, err := uuid.Parse(id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(value, name)
	}
	delete(value, "event_timestamp")
	equal(t, "envelope", map[string]any{
		"event_type": "school.class_renamed.v1", "source_service": "school", "schema_version": 1.0,
		"data_schema_uri": nil, "metadata": nil, "data": map[string]any{"class_id": "7b", "name": "Year 7, group B"},
	}, value)
}

var pythonBlock = regexp.MustCompile("(?ms)^```python\n(.*?)^```$")

// section returns the Python in a section of a page.
func section(t *testing.T, page, title string) string {
	t.Helper()
	_, text, found := strings.Cut(page, "\n## "+title+"\n")
	if !found {
		t.Fatalf("the page has no section %q", title)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	block := pythonBlock.FindStringSubmatch(text)
	if block == nil {
		t.Fatalf("the section %q has no Python", title)
	}
	return block[1]
}
