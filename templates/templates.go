// Package templates holds the text of generated Go packages. A template prints
// what the generator has decided: names, types and code fragments. It decides
// nothing itself.
package templates

import "embed"

// FS holds one template for each part of a package.
//
//go:embed *.tmpl
var FS embed.FS
