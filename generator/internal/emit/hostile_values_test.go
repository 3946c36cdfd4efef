package emit_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Generating a list of 25,000 values needs little memory.
func TestHugeEnum(t *testing.T) {
	const values = 25_000
	var text strings.Builder
	for i := range values {
		fmt.Fprintf(&text, "v%d, ", i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	generated, found := run(t, "", map[string]string{"thing.yaml": head + "  x: {type: string, enum: [" + text.String() + "]}\n"})
	runtime.ReadMemStats(&after)
	if allocated := (after.TotalAlloc - before.TotalAlloc) >> 20; allocated > 1024 {
		t.Errorf("it took %d MiB", allocated)
	}
	if len(found) > 0 || strings.Count(generated["thing_v1.go"], " ThingV1X = \"v") != values {
		t.Errorf("%d findings, %d constants", len(found), strings.Count(generated["thing_v1.go"], " ThingV1X = \"v"))
	}
}

// The texts of a schema reach the database only as parameters. In the code they are
// quoted strings, and never part of a statement.
func TestNothingOfASchemaIsSQL(t *testing.T) {
	t.Parallel()
	const hostile = `a'; DROP TABLE event_outbox; --"` + "`$1"
	files := map[string]string{"thing.yaml": strings.NewReplacer("aggregate: {type: thing", "aggregate: {type: "+strconv.Quote(hostile)).Replace(head)}
	generated, _ := run(t, "", files)
	seen := false
	for name, content := range generated {
		file, err := parser.ParseFile(token.NewFileSet(), name, content, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Error(err)
				}
				seen = seen || text == hostile
				if text != hostile && (strings.Contains(text, "DROP") || strings.Contains(text, "INSERT")) {
					t.Errorf("%s: a statement: %q", name, text)
				}
			}
			return true
		})
	}
	if !seen {
		t.Error("the aggregate's type is not in the code")
	}
}
