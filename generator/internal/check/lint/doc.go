// Package lint finds what is valid in an event schema but risky:
// names in two styles, money in floats, times without a format, personal data
// that nothing marks, examples that are not valid.
//
// The rules themselves stand in package finding: what each finds, why, and an
// example.
package lint
