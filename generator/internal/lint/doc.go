// Package lint finds what is valid in an event schema but risky:
// names in two styles, money in floats, times without a format, personal data
// that nothing marks, examples that are not valid.
//
// Each rule has an id, SUBJECT_PREDICATE, and an entry in the catalogue, which
// Explain looks up.
package lint
