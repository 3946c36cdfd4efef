// Package plan runs the passes that turn a project into what its Go package
// consists of: what its schemas allow (package normal), what types that makes
// (package shape), and what these are called (package naming).
package plan

import (
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/shape"
)

// Of decides the package of a project. What Go cannot say goes to list; with an
// error among it the result is not to be printed. taken is what hand-written
// files of the package declare already.
func Of(p *schema.Project, taken naming.Declared, list *finding.List) *ir.Package {
	scheme := naming.NewScheme(p)
	types := shape.Of(p, scheme, list)
	naming.Assign(scheme, types.Package, types.Claims, taken, list)
	return types.Package
}
