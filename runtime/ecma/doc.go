// Package ecma implements the regular expressions of ECMA-262, which JSON Schema uses.
// [Valid] checks their syntax. An [Expr] matches those that package regexp does not
// support, because they have look-arounds or too many repeats. A [Pattern] is the
// generator's form of a schema's pattern.
//
// The time of all functions grows only with the length of their input. Generated code
// and package rule use this package; services seldom need it. Package syntax parses the
// expressions for this package and for the generator.
package ecma
