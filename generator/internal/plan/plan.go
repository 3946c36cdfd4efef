// Package plan runs the passes from a project to its Go package: what its schemas allow
// (package normal), the types (package shape), and their names (package naming).
package plan

import (
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/shape"
)

// Of plans the package of a project. It adds findings to list; if one is an error, the
// result must not be printed. taken are the declarations in hand-written files of the
// package.
func Of(p *schema.Project, taken naming.Declared, list *finding.List) *ir.Package {
	scheme := naming.NewScheme(p)
	types := shape.Of(p, scheme, list)
	naming.Assign(scheme, types.Package, types.Claims, taken, list)
	return types.Package
}
