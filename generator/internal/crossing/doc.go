// Package crossing is for tests. NewLarge makes documents for a schema, valid and
// invalid ones.
//
// Its own tests combine every kind of constraint with every place, and make random
// schemas. TestCrossing runs them with package verdict: each schema generates code, its
// package compiles and is vetted, and its results for the documents are compared with
// those of an independent validator. Known differences are in testdata/expected.txt,
// with reasons. `make crossing` runs all schemas, an ordinary test run a selection;
// `make random-schemas` runs random ones.
package crossing
