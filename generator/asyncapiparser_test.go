package generator_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator"
)

// parseAsyncAPI is a program for Node. It reads documents from its input, and writes the
// errors that the official parser finds in each.
const parseAsyncAPI = `
const { Parser } = require('@asyncapi/parser');
const documents = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const parser = new Parser();
(async () => {
  const found = {};
  for (const [name, text] of Object.entries(documents)) {
    const { document, diagnostics } = await parser.parse(text);
    found[name] = diagnostics.filter(d => d.severity === 0).map(d => d.path.join('/') + ': ' + d.message);
    if (!document && found[name].length === 0) found[name].push('no document');
  }
  console.log(JSON.stringify(found));
})();`

// The official parser of AsyncAPI accepts what export asyncapi writes. It also accepts the
// documents of package schema's tests that outboxgen reads without an error, apart from
// those in rejected. "make asyncapi" fetches it.
func TestAsyncAPIParser(t *testing.T) {
	t.Parallel()
	cache := os.Getenv("OUTBOXGEN_SERVICES")
	if cache == "" {
		cache = "../.services"
	}
	dir := filepath.Join(cache, "asyncapi")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "asyncapi") {
			t.Fatalf(`no parser in %s: run "make asyncapi"`, dir)
		}
		t.Skipf(`no parser in %s: run "make asyncapi"`, dir)
	}
	documents := map[string]string{}
	projects, err := filepath.Glob("../testdata/golden/*/outboxgen.yaml")
	if err != nil || len(projects) == 0 {
		t.Fatal("no golden projects", err)
	}
	for _, project := range append(projects, "../schemas/huleedu/outboxgen.yaml", "../testdata/service/outboxgen.yaml", "testdata/roundtrip/people/outboxgen.yaml", "testdata/roundtrip/letters/outboxgen.yaml") {
		of := filepath.Dir(project)
		documents[of+" in YAML"] = string(exportAsyncAPI(t, of, generator.AsyncAPIOptions{}))
		documents[of+" in JSON"] = string(exportAsyncAPI(t, of, generator.AsyncAPIOptions{JSON: true}))
	}
	exported := len(documents)
	ours, err := filepath.Glob("internal/schema/testdata/asyncapi/*.txtar")
	if err != nil || len(ours) == 0 {
		t.Fatal("no documents", err)
	}
	for _, file := range ours {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		first, want := archive.Files[0], archive.Files[len(archive.Files)-1]
		// The parser rejects a correlationId that outboxgen only ignores.
		if len(archive.Files) == 2 && !hasError(string(want.Data)) && !strings.Contains(string(want.Data), "[asyncapi-correlation]") {
			documents[filepath.Base(file)] = string(first.Data)
		}
	}
	if len(documents) < exported+10 {
		t.Errorf("only %d documents of our own", len(documents)-exported)
	}

	input, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "-e", parseAsyncAPI)
	node.Dir, node.Stdin, node.Stderr = dir, strings.NewReader(string(input)), os.Stderr
	output, err := node.Output()
	if err != nil {
		t.Fatal(err)
	}

	var found map[string][]string
	if err := json.Unmarshal(output, &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(documents) {
		t.Errorf("%d of %d documents were read", len(found), len(documents))
	}
	for name, errors := range found {
		if why := rejected[name]; why != "" {
			if len(errors) == 0 {
				t.Errorf("%s is accepted now, although %s", name, why)
			}
			continue
		}
		for _, text := range errors {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// rejected are the documents that outboxgen reads and the parser rejects, with the reason.
var rejected = map[string]string{
	"2.6-schema-format.txtar":  "a reference leads to another host, whose file outboxgen does not need",
	"3.0-message-format.txtar": "AsyncAPI 3 has no schemaFormat beside the payload; AsyncAPI 2 has",
	"3.0-payload-null.txtar":   "a payload must not be null; some tools write it",
}

// hasError reports whether diagnostics of a test have an error. The lines of events end
// in the dialect of the data, the others in an id.
func hasError(diagnostics string) bool {
	for line := range strings.Lines(diagnostics) {
		if strings.HasSuffix(line, "]\n") && !strings.Contains(line, ": warning: ") && !strings.Contains(line, ": note: ") {
			return true
		}
	}
	return false
}
