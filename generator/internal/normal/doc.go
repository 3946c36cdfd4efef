// Package normal brings schemas to a normal form: what values a schema allows,
// said once, however many references, combinations and conditions say it.
//
// A Node is what several schemas allow together. Its Form is worked out from
// them alone: references are followed, allOf is intersected, branches that no
// value can take are dropped, null is separated from the rest, and objects and
// arrays are intersected member by member and item by item. The same schemas
// give the same Node, in whatever order they are met, so that a schema which
// refers back to itself comes to an end.
//
// A Form says which kinds of JSON values may be valid (an upper bound), and for
// objects, arrays, strings and numbers what holds for all of them. What a Form
// cannot say stands in its Residues: keywords of schemas that a validator still
// has to check. Form and Residues together are exact.
//
// The algebra is that of Habib, Shinnar, Hirzel and Pradel, "Finding data
// compatibility bugs with JSON subschema checks" (ISSTA 2021), without their
// unfolding of unions into all of their combinations: a Form has at most one
// union, the others are residues.
package normal
