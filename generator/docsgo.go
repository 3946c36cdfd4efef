package generator

import (
	"go/ast"
	"go/parser"
	"go/token"

	"github.com/outboxgen/outboxgen/generator/internal/site"
)

// goNames returns the names of a generated file that services use for an event, with
// their lines: its type and its functions.
func goNames(content []byte, event string) ([]site.GoName, error) {
	uses := map[string]string{
		event:                          "the data of the event",
		"Insert" + event:               "inserts an event in a transaction",
		"Queue" + event:                "adds the insert of an event to a batch",
		"On" + event:                   "registers a handler of a consumer",
		"Decode" + event:               "reads a record",
		event + "Tombstone":            "a tombstone: what was published under its key is deleted",
		"Insert" + event + "Tombstone": "inserts a tombstone in a transaction",
		"Queue" + event + "Tombstone":  "adds the insert of a tombstone to a batch",
		"On" + event + "Tombstone":     "registers a handler of tombstones",
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "", content, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []site.GoName
	add := func(name *ast.Ident) {
		if use := uses[name.Name]; use != "" {
			names = append(names, site.GoName{Name: name.Name, Use: use, Line: fset.Position(name.Pos()).Line})
		}
	}
	for _, decl := range parsed.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					add(t.Name)
				}
			}
		}
	}
	return names, nil
}
