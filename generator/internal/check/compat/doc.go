// Package compat decides whether a changed JSON Schema is compatible, by the
// rules of Confluent's schema registry, so that what passes here registers
// there.
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
// Like the registry, the rules compare no more than they name. They do not look
// at format, contentEncoding, contentMediaType, propertyNames, the schema of
// contains, what an if says, names in required that are not declared, and
// patternProperties other than to see what covers a property. Two patterns are
// equal or not, a const is no enum of one, and minimum is not compared with
// exclusiveMinimum. A change that they do not look at is mentioned, as
// uncompared-keyword-changed, and counts as compatible.
//
// Where the registry's two parsers (drafts 4, 6 and 7; 2019-09 and 2020-12)
// make different things of the same schema, so does this package: of items that
// are true or false, of contains, and of format without a type.
//
// # Where it differs
//
//   - The exclusive flags of draft-04 are compared, which the registry forgets.
//   - additionalItems without a tuple says nothing, as the standard has it.
//   - The registry flattens a branch of several keywords into the anyOf or oneOf
//     around it when it reads the newer drafts; here it stays one branch.
//   - A $ref of draft-07 and before hides what stands beside it.
//   - The annotation connect.type is not looked at.
//   - Enum values are listed one by one, and where an unpaired branch has an
//     obvious partner, what differs in it is reported as well. No verdict depends
//     on that.
package compat
