package emit

import (
	"text/template"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/templates"
)

// Print prints a package with types that a test made.
func Print(pkg *ir.Package, outboxDB string, pointers bool) ([]File, error) {
	all, err := template.New("").Funcs(functions).ParseFS(templates.FS, "*.tmpl")
	if err != nil {
		return nil, err
	}
	p := &printer{pkg: pkg, opts: Options{OutboxDB: outboxDB}, templates: all, list: new(finding.List), pointers: pointers, embedded: true}
	return p.files()
}
