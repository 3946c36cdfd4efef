package python_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	osexec "os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wire"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// randomEvents is the number of random events to compare.
const randomEvents = "10000"

// The generated Go decodes random events of Pydantic models and encodes the same JSON
// values. What Go encodes, also in its own spelling, is the same event for the models.
func TestRandomEventsOfPydantic(t *testing.T) {
	python := interpreter(t)
	run := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := osexec.CommandContext(t.Context(), python, append([]string{"fuzz.py"}, args...)...)
		cmd.Dir, cmd.Env, cmd.Stdin = "service", append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), bytes.NewReader(stdin)
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("python fuzz.py %s: %v\n%s", strings.Join(args, " "), err, said.String())
		}
		return out
	}
	var pairs bytes.Buffer
	lines := json.NewEncoder(&pairs)
	n, seen := 0, map[string]bool{}
	for line := range bytes.Lines(run(nil, "make", "1", randomEvents)) {
		var document string
		must(t, json.Unmarshal(line, &document))
		var head struct {
			EventType string `json:"event_type"`
		}
		must(t, json.Unmarshal([]byte(document), &head))
		seen[head.EventType] = true
		kept, own := again(t, document, head.EventType)
		if diff := cmp.Diff(canonical(t, document), canonical(t, kept)); diff != "" {
			t.Fatalf("decoded and encoded again (-want +got):\n%s\n%s", diff, document)
		}
		must(t, lines.Encode(map[string]string{"python": document, "go": kept}))
		must(t, lines.Encode(map[string]string{"python": document, "go": own}))
		n += 2
	}
	if diff := cmp.Diff(eventTypes(t), slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("types of the random events (-schemas +events):\n%s", diff)
	}
	if got, want := string(run(pairs.Bytes(), "compare")), fmt.Sprintf("alike: %d\n", n); got != want {
		t.Errorf("the models say:\n%.3000s\nwant %s", got, want)
	}
}

// eventTypes lists the event types of the sample schemas, sorted.
func eventTypes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.FromSlash("../../schemas/huleedu/*.yaml"))
	must(t, err)
	line := regexp.MustCompile(`(?m)^  type: (huleedu\.\S+)$`)
	var types []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		if found := line.FindSubmatch(text); found != nil {
			types = append(types, string(found[1]))
		}
	}
	slices.Sort(types)
	return types
}

// again decodes a document and encodes it twice: with the document's spelling, and with
// Go's.
func again(t *testing.T, document, eventType string) (kept, own string) {
	t.Helper()
	switch eventType {
	case "huleedu.class.updated.v1":
		return both(t, document, events.DecodeClassUpdatedV1)
	case "huleedu.cj_assessment.completed.v1":
		return both(t, document, events.DecodeCJAssessmentCompletedV1)
	case "huleedu.cj_assessment.failed.v1":
		return both(t, document, events.DecodeCJAssessmentFailedV1)
	case "huleedu.els.cj_assessment.requested.v1":
		return both(t, document, events.DecodeCJAssessmentRequestedV1)
	case "huleedu.file.essay.content.provisioned.v1":
		return both(t, document, events.DecodeEssayContentProvisionedV1)
	case "huleedu.batch.spellcheck.phase.completed.v1":
		return both(t, document, events.DecodeSpellcheckPhaseCompletedV1)
	case "huleedu.assessment.result.published.v1":
		return both(t, document, events.DecodeAssessmentResultV1)
	}
	t.Fatalf("an event of type %q", eventType)
	return "", ""
}

func both[T any](t *testing.T, document string, decode func([]byte, ...outbox.Header) (outbox.Envelope[T], error)) (kept, own string) {
	t.Helper()
	envelope, err := decode([]byte(document))
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	if v, ok := any(envelope.Data).(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			t.Fatalf("%v\n%s", err, document)
		}
	}
	text := func() string {
		t.Helper()
		encoded, err := json.Marshal(envelope)
		must(t, err)
		return string(encoded)
	}
	kept = text()
	forget(reflect.ValueOf(&envelope.Data).Elem())
	return kept, text()
}

// forget removes the spelling from decoded values.
func forget(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[wire.Spelling]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				forget(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			forget(v.Index(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			forget(v.Elem())
		}
	}
}

// canonical is a document as values that can be compared: 1.0 is 1, and the
// envelope is as Go writes it, with its time in UTC and null for what is absent.
func canonical(t *testing.T, document string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	var v map[string]any
	must(t, decoder.Decode(&v))
	text, _ := v["event_timestamp"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	must(t, err)
	v["event_timestamp"] = at.UTC()
	for _, name := range []string{"data_schema_uri", "metadata"} {
		if _, ok := v[name]; !ok {
			v[name] = nil
		}
	}
	return exact(t, v)
}

// exact replaces the numbers in v by their values.
func exact(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = exact(t, v[name])
		}
	case []any:
		for i := range v {
			v[i] = exact(t, v[i])
		}
	case json.Number:
		number, ok := new(big.Rat).SetString(v.String())
		if !ok {
			t.Fatalf("%s is no number", v)
		}
		return number.RatString()
	}
	return v
}
