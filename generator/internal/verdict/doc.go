// Package verdict is for tests: it compiles schemas to a running program. Each Case is
// a small project. Run generates its package in process, vets and compiles the packages
// of many cases together, and runs one program that decodes, validates and encodes the
// documents of all of them.
//
// Compare compares the answers with an independent validator. The tests that combine
// constraints and places, the random schemas and the official test suite use this
// package.
package verdict
