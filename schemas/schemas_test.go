package schemas_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/schemas"
)

const huleedu = "https://schemas.huleedu.example/"

func TestSamplesFollowTheMetaSchemas(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	event := compile(t, compiler, schemas.EventSchemaURL)
	config := compile(t, compiler, schemas.ConfigSchemaURL)

	for path, doc := range samples(t) {
		if err := event.Validate(doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := config.Validate(readYAML(t, "huleedu/outboxgen.yaml")); err != nil {
		t.Errorf("huleedu/outboxgen.yaml: %v", err)
	}
}

func TestMetaSchemasFindMistakes(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	event := compile(t, compiler, schemas.EventSchemaURL)
	config := compile(t, compiler, schemas.ConfigSchemaURL)

	const complete = "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a, id: /id}"
	for _, tc := range []struct {
		name, source string
		schema       *jsonschema.Schema
		valid        bool
	}{
		{"a library needs nothing", "$defs: {a: {type: string}}", event, true},
		{"an event", complete + "}", event, true},
		{"no key", complete + ", key: null}", event, true},
		{"an older draft is not held to 2020-12",
			"$schema: http://json-schema.org/draft-04/schema#\nminimum: 0\nexclusiveMinimum: true", event, true},
		{"2020-12 is", "minimum: 0\nexclusiveMinimum: true", event, false},
		{"no title", "x-outbox: {version: 1, type: a.v1, aggregate: {type: a}}", event, false},
		{"no type", "title: A\nx-outbox: {version: 1, aggregate: {type: a}}", event, false},
		{"version 0", "title: A\nx-outbox: {version: 0, type: a.v1, aggregate: {type: a}}", event, false},
		{"a misspelled member", complete + ", tpoic: a}", event, false},
		{"an impossible topic", complete + ", topic: a b}", event, false},
		{"a key that is no pointer", complete + ", key: id}", event, false},
		{"an item as the key", complete + ", key: /2/id}", event, true},
		{"the whole value as the key", complete + ", key: ''}", event, true},
		{"an unknown envelope", complete + ", envelope: avro}", event, false},

		{"marks of a library", "x-outbox: {silence: {EVENT_UNDESCRIBED: it is none}}", event, true},
		{"an event with marks", complete + ", personal: true, suppress: {key-unbounded: ids are short}}", event, true},
		{"marks inside", "properties: {a: {x-outbox: {personal: true}, items: {x-outbox: {grows: false}}}}", event, true},
		{"a misspelled mark inside", "properties: {a: {x-outbox: {personl: true}}}", event, false},
		{"a mark inside that is no boolean", "$defs: {a: {items: {x-outbox: {grows: maybe}}}}", event, false},
		{"a rule suppressed without a reason", "properties: {a: {x-outbox: {suppress: {ENUM_CLOSED: ' '}}}}", event, false},
		{"a rule suppressed that is none, under the earlier name", "properties: {a: {x-outbox: {silence: {ENUM_CLOSD: x}}}}", event, false},
		{"nothing in x-outbox", "title: A\nx-outbox: {}", event, false},

		{"the spelling of earlier versions", "version: 1\nservice: s\nout: events\nlint: {rules: {ENUM_CLOSED: off}}", config, true},
		{"a warning of the generator", "version: 1\nservice: s\nout: events\nlint: {rules: {discriminator-trusted: off}}", config, true},
		{"levels", "version: 1\nservice: s\nout: events\nlint: {rules: {enum-closed: off}, property_names: snake_case}", config, true},
		{"a level that is none", "version: 1\nservice: s\nout: events\nlint: {rules: {ENUM_CLOSED: fatal}}", config, false},
		{"a rule that is none", "version: 1\nservice: s\nout: events\nlint: {rules: {ENUM_CLOSD: off}}", config, false},
		{"a style that is none", "version: 1\nservice: s\nout: events\nlint: {enum_values: lower}", config, false},
		{"a level of its own", complete + ", compat: {level: FULL, policy: lenient}}", event, true},
		{"an unknown level", complete + ", compat: {level: SIDEWAYS}}", event, false},

		{"the smallest project", "version: 1\nservice: s\nout: events", config, true},
		{"a foreign schema", "version: 1\nservice: s\nout: events\nevents:\n" +
			"- {schema: 'v/b.json#/$defs/f', name: F, version: 1, type: f.v1, aggregate: {type: b, id: /b/id}}", config, true},
		{"what schemas are read as", "version: 1\nservice: s\nout: events\ndialects: {'https://example.com/own#': draft-04, 'v/*.json': 'http://json-schema.org/draft-07/schema#'}\nevents:\n" +
			"- {schema: v/b.json, dialect: 2019-09, name: F, version: 1, type: f.v1, aggregate: {type: b}}", config, true},
		{"a dialect that is none", "version: 1\nservice: s\nout: events\ndialects: {'v/*.json': draft-03}", config, false},
		{"how changes are judged", "version: 1\nservice: s\nout: events\ncompat: {level: FULL, released: v*, accept: [{id: A, event: b, reason: c}]}", config, true},
		{"accepted without a reason", "version: 1\nservice: s\nout: events\ncompat: {accept: [{id: A, event: b}]}", config, false},
		{"an unknown setting", "version: 1\nservice: s\nout: events\nenvelop: none", config, false},
		{"the specification to the letter", "version: 1\nservice: s\nout: events\nvalidation: spec", config, true},
		{"an unknown validation", "version: 1\nservice: s\nout: events\nvalidation: loose", config, false},
		{"UUIDs as correlation ids", "version: 1\nservice: s\nout: events\ncorrelation_id: uuid", config, true},
		{"correlation ids of no kind", "version: 1\nservice: s\nout: events\ncorrelation_id: integer", config, false},
		{"AsyncAPI, and what people want to know", "version: 1\nservice: s\nout: events\nowner: Team A\nasyncapi: {publish: sends, received: omit}\nevents:\n" +
			"- {schema: 'a.yaml#/components/messages/a', event: false}\n" +
			"- {schema: 'a.yaml#/components/messages/b', name: B, version: 1, type: b.v1, role: consume, payload: envelope}", config, true},
		{"an entry that is no event, with a type", "version: 1\nservice: s\nout: events\nevents: [{schema: a, event: false, type: b}]", config, false},
		{"a direction that is none", "version: 1\nservice: s\nout: events\nasyncapi: {publish: both}", config, false},
		{"a consumed event without an aggregate", "title: A\nx-outbox: {version: 1, type: a.v1, role: consume}", event, true},
		{"a published event without one", "title: A\nx-outbox: {version: 1, type: a.v1, role: publish}", event, false},
		{"an unknown mode", "version: 1\nservice: s\nout: events\nsqlc: {mode: none}", config, false},
	} {
		var doc any
		if err := yaml.Unmarshal([]byte(tc.source), &doc); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if err := tc.schema.Validate(doc); (err == nil) != tc.valid {
			t.Errorf("%s: valid %t, want %t (%v)", tc.name, err == nil, tc.valid, err)
		}
	}
}

// Each event has two examples: one as its Python publisher writes it, with
// nulls spelled out, and one in which every optional field has a value.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	events := 0
	for path, doc := range samples(t) {
		root := doc.(map[string]any)
		outbox, _ := root["x-outbox"].(map[string]any)
		if outbox["type"] == nil {
			continue // a library
		}
		events++
		schema := compile(t, compiler, root["$id"].(string))
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		for _, example := range []string{name + ".json", name + ".full.json"} {
			envelope := readEnvelope(t, example)
			if err := schema.Validate(envelope["data"]); err != nil {
				t.Errorf("%s: %v", example, err)
			}
			want := []string{"correlation_id", "data", "data_schema_uri", "event_id", "event_timestamp",
				"event_type", "metadata", "schema_version", "source_service"}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(envelope))); diff != "" {
				t.Errorf("%s: members of the envelope (-want +got):\n%s", example, diff)
			}
			if got, want := envelope["event_type"], outbox["type"]; got != want {
				t.Errorf("%s: event_type is %v, the schema says %v", example, got, want)
			}
			aggregate := outbox["aggregate"].(map[string]any)
			field := strings.TrimPrefix(aggregate["id"].(string), "/")
			if id, ok := envelope["data"].(map[string]any)[field].(string); !ok || id == "" {
				t.Errorf("%s: no aggregate id at /%s", example, field)
			}
		}
		if missing := unset(root, readEnvelope(t, name+".full.json")["data"]); len(missing) > 0 {
			t.Errorf("%s.full.json leaves out or nulls %v", name, missing)
		}
	}
	if events != 7 {
		t.Errorf("%d sample events, want 7", events)
	}
}

// The schemas agree with the Python models. A different field, null or default would
// break a consumer on the other side.
func TestSamplesStateTheContract(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	const base = "entity_id? string|null = null, entity_type? string|null = null, " +
		"parent_id? string|null = null, timestamp date-time"
	want := map[string]string{
		"cj_assessment_completed.v1": "event_name const cj_assessment.completed, " + base + ", status enum12, system_metadata object, cj_assessment_job_id string, processing_summary object",
		"cj_assessment_failed.v1":    "event_name const cj_assessment.failed, " + base + ", status enum12, system_metadata object, cj_assessment_job_id string",
		"assessment_result.v1": "event_name const assessment.result.published, " + base + ", batch_id string, cj_assessment_job_id string, assessment_method string, model_used string, " +
			"model_provider string, assignment_id? string|null max 100 = null, model_version? string|null = null, " +
			"essay_results array, assessment_metadata? object = {}, assessed_at date-time",
		"cj_assessment_requested.v1": "event_name const els.cj_assessment.requested, " + base + ", system_metadata object, essays_for_cj array, language string, course_code enum6, " +
			"student_prompt_ref? object|null = null, llm_config_overrides? object|null = null, " +
			"assignment_id? string|null max 100 = null, user_id string, org_id? string|null = null",
		"essay_content_provisioned.v1": "event const essay.content.provisioned, entity_id string, file_upload_id string, " +
			"original_file_name string, raw_file_storage_id string, text_storage_id string, file_size_bytes integer, " +
			"content_md5_hash? string|null = null, correlation_id uuid, timestamp date-time",
		"spellcheck_phase_completed.v1": "entity_id string, batch_id string, correlation_id string, status enum4, " +
			"corrected_text_storage_id? string|null = null, error_code? string|null = null, processing_duration_ms integer, timestamp date-time",
		"class_updated.v1": "event const class.updated, class_id string, user_id string, class_designation? string|null = null, " +
			"course_codes? array|null = null, correlation_id uuid, timestamp date-time",
		"assessment_result.v1#/$defs/essay_result": "essay_id string, normalized_score number 0..1, letter_grade string, " +
			"confidence_score number 0..1, confidence_label enum3, bt_score number, rank integer > 0, is_anchor? boolean = false, " +
			"feedback_uri? string|null = null, metrics_uri? string|null = null, display_name? string|null = null",
		"cj_assessment_requested.v1#/$defs/essay_for_cj": "essay_id string, text_storage_id string, spellcheck_metrics? object|null = null",
		"common/system_metadata.yaml": "entity_id string, entity_type string, parent_id? string|null = null, timestamp date-time, " +
			"processing_stage? enum6|null = null, started_at? date-time|null = null, completed_at? date-time|null = null, " +
			"event? string|null = null, error_info? object = {}",
		"common/storage_reference.yaml": "references object",
		"common/llm_config.yaml": "model_override? string|null = null, provider_override? string|null = null, " +
			"system_prompt_override? string|null = null, judge_rubric_override? string|null = null, reasoning_effort? string|null = null, " +
			"output_verbosity? string|null = null, temperature_override? number|null 0..2 = null, max_tokens_override? integer|null > 0 = null",
		"common/spellcheck_metrics.yaml": "total_corrections integer, l2_dictionary_corrections integer, spellchecker_corrections integer, " +
			"word_count integer, correction_density number",
	}
	files := samples(t)
	got := map[string]string{}
	for name := range want {
		path, place, _ := strings.Cut(name, "#/$defs/")
		root := files["huleedu/"+strings.TrimSuffix(path, ".yaml")+".yaml"].(map[string]any)
		if place != "" {
			root = root["$defs"].(map[string]any)[place].(map[string]any)
		}
		got[name] = contract(t, compile(t, compiler, huleedu+name), fieldOrder(t, path, place), root)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}

	pattern := compile(t, compiler, huleedu+"assessment_result.v1#/$defs/essay_result").Properties["letter_grade"].Pattern.String()
	if want := "^([A-F][+-]?|U)$"; pattern != want {
		t.Errorf("pattern of letter_grade is %q, want %q", pattern, want)
	}
}

func readEnvelope(t *testing.T, name string) map[string]any {
	t.Helper()
	f, err := os.Open(filepath.Join("huleedu", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return doc.(map[string]any)
}

// samples returns every sample schema by its path.
func samples(t *testing.T) map[string]any {
	t.Helper()
	docs := map[string]any{}
	for _, pattern := range []string{"huleedu/*.v*.yaml", "huleedu/common/*.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			docs[filepath.ToSlash(path)] = readYAML(t, path)
		}
	}
	return docs
}

func readYAML(t *testing.T, path string) any {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal(source, &doc); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return doc
}

// newCompiler returns a compiler with the meta-schemas and the samples, each by its
// $id.
func newCompiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, text := range []string{schemas.EventSchema(), schemas.ConfigSchema()} {
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(doc["$id"].(string), doc); err != nil {
			t.Fatal(err)
		}
	}
	for path, doc := range samples(t) {
		id := doc.(map[string]any)["$id"].(string)
		// A reference has the same target by path and by $id.
		if want := huleedu + strings.TrimPrefix(path, "huleedu/"); id != want && id+".yaml" != want {
			t.Errorf("%s has $id %s", path, id)
		}
		if err := c.AddResource(id, doc); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func compile(t *testing.T, c *jsonschema.Compiler, url string) *jsonschema.Schema {
	t.Helper()
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
