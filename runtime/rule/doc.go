// Package rule checks JSON values against the parts of a JSON Schema that Go types
// cannot express: conditions, negations, alternatives, dependencies on other
// properties, and what the rest of an object or an array may hold. Generated code holds
// such schemas as Go values, and package wire applies them. Services do not use this
// package.
//
// The fields of a [Schema] mean what the keywords of the same names mean in JSON Schema
// 2020-12; the generator translates older dialects. Nothing is fetched: a reference
// names another schema of the same [Set]. Numbers of any size are compared exactly,
// lengths are counted in code points, and values are compared as JSON: 1 and 1.0 are
// equal, and properties have no order.
//
// A Set is compiled when it is first used. It is safe for concurrent use. Checking a
// valid value allocates little and never compiles a regular expression.
package rule
