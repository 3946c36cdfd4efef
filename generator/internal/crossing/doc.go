// Package crossing is test support: schemas that put every kind of constraint
// in every place, random schemas, and documents made for any schema.
//
// The crossing test takes them through package verdict: each schema generates,
// its package compiles and is vetted, and the verdicts on its documents are
// compared with those of an independent validator. What is known to differ
// stands in testdata/expected.txt, with reasons. `make crossing` runs all
// schemas, an ordinary test run a selection; `make random-schemas` runs random
// ones.
package crossing
