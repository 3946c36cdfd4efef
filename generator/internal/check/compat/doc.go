// Package compat decides whether a changed JSON Schema is compatible, by the
// rules of Confluent's schema registry. What passes here under the policy strict
// registers there.
//
// # The rules
//
// A schema is seen as groups of keywords: what it says about strings, numbers,
// objects and arrays, an enum, a const, a not, an if, and combinations. Groups
// of the same kind are compared keyword by keyword; a schema that says several
// things is an allOf of its groups, and a list of types is an anyOf. Each
// difference has a rule in package finding, with an example that a test runs, and
// a policy is the set of rules that it allows.
//
// Like the registry, the rules compare only certain keywords. They do not compare
// discriminator, format, contentEncoding, contentMediaType, propertyNames, the schema of contains, the
// content of an if, or undeclared names in required; they use patternProperties only to
// find the schema of a property. Two patterns are equal or not, a const is not an enum
// of one value, and minimum is not compared with exclusiveMinimum. A change that no
// rule compares is reported as uncompared-keyword-changed and counts as compatible.
//
// The registry has two parsers (for drafts 4, 6 and 7; for 2019-09 and 2020-12) that
// sometimes read the same schema differently: items that are true or false, contains,
// and format without a type. This package does the same.
//
// # What generated readers decode and check
//
// The policy generated is about the readers that outboxgen generates, so it compares
// everything that they decode and check: by which property and values a union selects its
// variant, the formats and encodings of strings, what the Go type of a number holds, and
// the other keywords above. It compares a const with an enum, what a base schema says with
// unevaluatedProperties and unevaluatedItems, and whether data fits two variants of oneOf.
// An object, its base and the branches of its allOf are one object, so a property may move
// from one to another. These rules are in decoding.md of package finding. Other policies
// never apply them.
//
// # Where it differs
//
//   - The exclusive flags of draft-04 are compared; the registry ignores them.
//   - additionalItems without a tuple has no effect, as the standard says.
//   - The registry flattens a branch of several keywords into the anyOf or oneOf
//     around it when it reads the newer drafts; here it stays one branch.
//   - A $ref of draft-07 and before hides its sibling keywords.
//   - The annotation connect.type is ignored.
//   - Enum values are listed one by one, and where an unpaired branch has an
//     obvious partner, what differs in it is reported as well. No verdict depends
//     on that.
package compat
