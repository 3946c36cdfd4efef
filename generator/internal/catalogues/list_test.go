package catalogues_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// catalogue has the schemas of a package.
type catalogue struct {
	name   string
	about  string
	folder string // of the package that contains them
	// files is a path.Match pattern for names below folder: the schemas that are
	// events.
	files string
	// except is a regular expression for those whose references have no target in the
	// package.
	except string
	// within lists the events in a file, as pointers; nil: the file is one event.
	within func(schema map[string]any) []string
	// settings are lines of the project file.
	settings []string
	// dialect is the $schema with which the validator reads all files; "": their own.
	dialect string
}

const draft07 = "http://json-schema.org/draft-07/schema#"

var all = []catalogue{
	{name: "ocpp", about: "messages of charging stations, versions 1.6, 2.0.1 and 2.1", folder: "ocpp", files: "*/schemas/*.json"},
	{name: "eiffel", about: "events of build pipelines", folder: "eiffellib/schemas", files: "*/*.json"},
	{name: "shopify", about: "webhooks of shops, thirteen versions", folder: "package/schemas", files: "*/*/*.json"},
	{name: "github", about: "webhooks of a code host", folder: "package", files: "schema.json", within: definitions(isEvent)},
	{name: "asyncapi", about: "descriptions of message interfaces", folder: "package/schemas", files: "*.json", except: `without-\$id|all\.schema-store`},
	{name: "cyclonedx", about: "bills of materials", folder: "package/res/schema", files: "*.json"},
	{name: "fhir", about: "health records", folder: "package", files: "fhir.schema.json", within: alternatives},
	{name: "vega-lite", about: "charts", folder: "package/build", files: "*.json"},
	{name: "editors", about: "files that editors know", folder: "check_jsonschema/builtin_schemas/vendor", files: "*.json", except: "drone-ci"},
	{name: "kubernetes", about: "resources of a cluster", folder: "kubernetes_validate/kubernetes-json-schema/v1.37.0-local", files: "*.json", except: "^(_definitions|all).json"},
	{
		name: "cloudformation", about: "resources of a cloud", folder: "cfnlint/data/schemas/resources", files: "*.json",
		settings: []string{`dialects: {"**/*.json": draft-07}`}, dialect: draft07,
	},
}

// definitions returns the definitions of a file that have one of the names.
func definitions(wanted func(name string) bool) func(map[string]any) []string {
	return func(schema map[string]any) []string {
		var out []string
		found, _ := schema["definitions"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(found)) {
			if wanted(name) {
				out = append(out, "/definitions/"+name)
			}
		}
		return out
	}
}

func isEvent(name string) bool {
	return strings.Contains(name, "$") || strings.HasSuffix(name, "_event")
}

// alternatives returns the targets of the references in a file's oneOf.
func alternatives(schema map[string]any) []string {
	var out []string
	branches, _ := schema["oneOf"].([]any)
	for _, branch := range branches {
		if branch, ok := branch.(map[string]any); ok {
			if ref, ok := branch["$ref"].(string); ok {
				out = append(out, strings.TrimPrefix(ref, "#"))
			}
		}
	}
	return out
}

// event is a schema of a catalogue that is an event.
type event struct {
	file    string
	pointer string
}

// loaded is a catalogue with its files.
type loaded struct {
	catalogue
	texts  map[string][]byte
	events []event
}

// dir returns the folder of the packages.
func dir(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("OUTBOXGEN_SERVICES")
	if cache == "" {
		cache = "../../../.services"
	}
	if !slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "catalogues") {
		t.Skip(`it takes long: run "make catalogues"`)
	}
	dir := filepath.Join(cache, "catalogues")
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf(`no catalogues in %s: run "make catalogues"`, dir)
	}
	return dir
}

// load reads the files of a catalogue.
func load(t *testing.T, dir string, c catalogue) loaded {
	t.Helper()
	l := loaded{catalogue: c, texts: map[string][]byte{}}
	fsys := os.DirFS(filepath.Join(dir, c.name, filepath.FromSlash(c.folder)))
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".json" {
			return err
		}
		l.texts[name], err = fs.ReadFile(fsys, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(l.texts)) {
		if matches, err := path.Match(c.files, name); err != nil || !matches || c.except != "" && regexp.MustCompile(c.except).MatchString(name) {
			continue
		}
		if c.within == nil {
			l.events = append(l.events, event{file: name})
			continue
		}
		var schema map[string]any
		if err := json.Unmarshal(l.texts[name], &schema); err != nil {
			t.Fatalf("%s: %s: %v", c.name, name, err)
		}
		for _, pointer := range c.within(schema) {
			l.events = append(l.events, event{name, pointer})
		}
	}
	if len(l.events) == 0 {
		t.Fatalf("%s has no events", c.name)
	}
	return l
}
