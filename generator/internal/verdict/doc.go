// Package verdict is test support: it takes schemas all the way to a running
// program. Each Case is a small project; Run generates its package in process,
// vets and compiles the packages of many cases together, and has one program
// decode, validate and encode the documents of all of them.
//
// Compare holds the answers against an independent validator. The tests that
// cross constraints with places, the random schemas and the official test suite
// share this pipeline.
package verdict
