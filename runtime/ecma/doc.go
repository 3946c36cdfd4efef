// Package ecma knows the regular expressions of ECMA-262, which JSON Schema
// uses: [Valid] checks their syntax, and an [Expr] matches those that package
// regexp cannot say, because they look ahead or behind or repeat too often. A
// [Pattern] is what the generator makes of the pattern of a schema.
//
// All take time that grows with the length of what they read alone. Generated
// code and package rule use them; services seldom need them. Package syntax reads
// the expressions for this package and for the generator.
package ecma
