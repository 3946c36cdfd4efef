// Package rule checks JSON values against the part of a JSON Schema that Go
// types cannot say: conditions, negations, alternatives, what depends on other
// members, and what the rest of an object or an array may hold. Generated code
// holds such schemas as Go values and package wire applies them; nobody else
// needs to.
//
// A [Schema] means what the keywords of the same names mean in JSON Schema
// 2020-12; the generator has brought older dialects over. Nothing is looked up
// or fetched: a reference names another schema of the same [Set]. Numbers are
// compared exactly, whatever their size, lengths are counted in code points, and
// values are equal as JSON is: 1 and 1.0 are one number, members have no order.
//
// A Set is prepared when it is first used and is safe for concurrent use then.
// Checking a value that a schema takes allocates little and never compiles a
// regular expression.
package rule
