// Package crossing is for tests: it combines every kind of constraint with every place,
// makes random schemas, and makes documents for any schema.
//
// The crossing test runs them with package verdict: each schema generates code, its
// package compiles and is vetted, and its results for the documents are compared with
// those of an independent validator. Known differences are in testdata/expected.txt,
// with reasons. `make crossing` runs all schemas, an ordinary test run a selection;
// `make random-schemas` runs random ones.
package crossing
