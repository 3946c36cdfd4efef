// Package templates has the templates of generated Go packages. A template prints what
// the generator has decided (names, types and code fragments) and decides nothing
// itself.
package templates

import "embed"

// FS has one template for each part of a package.
//
//go:embed *.tmpl
var FS embed.FS
