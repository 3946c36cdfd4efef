package emit_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// The code of unions stays below 60 % of the 5,214 lines that it had before the common
// part moved to the runtime.
func TestUnionsAreShort(t *testing.T) {
	t.Parallel()
	lines := 0
	for _, content := range read(t, filepath.Join(root, "testdata/golden/unions/events")) {
		lines += strings.Count(content, "\n")
	}
	if lines == 0 || lines > 3050 {
		t.Errorf("the golden unions are %d lines, want 3,050 at most", lines)
	}
}

// The Go code grows linearly with the number of definitions, although the rules of each
// reach all later ones.
func TestChainedDefinitionsAreShared(t *testing.T) {
	t.Parallel()
	lines := func(definitions int) int {
		var defs []string
		for i := range definitions {
			defs = append(defs, fmt.Sprintf(`"d%d":{"type":"object","properties":{"v%d":{"type":"string"},"next":{"$ref":"#/$defs/d%d"}},"not":{"required":["v%d"],"properties":{"next":{"$ref":"#/$defs/d%d"}}}}`, i, i, i+1, i, i+1))
		}
		files := generateFS(t, fstest.MapFS{
			"outboxgen.yaml": {Data: []byte("version: 1\nservice: chains\nschemas: []\nout: events\nevents:\n  - schema: thing.json\n    name: Thing\n    version: 1\n    type: chains.thing.v1\n    aggregate: {type: thing}\n")},
			"thing.json":     {Data: []byte(`{"$ref":"#/$defs/d0","$defs":{` + strings.Join(defs, ",") + fmt.Sprintf(`,"d%d":{"type":"object"}}}`, definitions))},
		})
		total := 0
		for _, content := range files {
			total += strings.Count(content, "\n")
		}
		return total
	}
	if few, many := lines(15), lines(30); many > 2*few {
		t.Errorf("15 definitions come to %d lines, 30 to %d: want twice as many at most", few, many)
	}
}
