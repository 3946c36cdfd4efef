package plan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The passes keep no state between runs: no package variable is without a value or has
// a lock.
func TestPassesKeepNoState(t *testing.T) {
	t.Parallel()
	for _, pass := range []string{"normal", "shape", "naming", "rules", "emit", "ecma", "jsonvalue", "plan"} {
		files, err := filepath.Glob(filepath.Join("..", pass, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatal(pass, err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				for _, name := range stateIn(t, file) {
					t.Errorf("%s: the variable %s is state of the package", file, name)
				}
			}
		}
	}
}

// stateIn returns the variables of a file that look like state.
func stateIn(t *testing.T, file string) []string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range parsed.Decls {
		declared, ok := d.(*ast.GenDecl)
		if !ok || declared.Tok != token.VAR {
			continue
		}
		for _, spec := range declared.Specs {
			v := spec.(*ast.ValueSpec)
			text := string(source[v.Pos()-1 : v.End()-1])
			if len(v.Values) == 0 || strings.Contains(text, "sync.") && !strings.Contains(text, "sync.OnceValue") {
				found = append(found, v.Names[0].Name)
			}
		}
	}
	return found
}
