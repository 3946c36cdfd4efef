// Package suite_test runs the official JSON Schema Test Suite against the Go code
// that is generated from its schemas.
//
// Each group of the suite, a schema with its documents, becomes an event that the
// project file lists under events:. All groups of a draft make a few projects;
// package verdict generates and compiles them together, and one program decodes
// and validates every document. That is done with both settings of validation;
// of a group whose code is the same in both, once. What comes out otherwise than the suite says
// stands, with a reason, in testdata/differences.json. The test fails on a
// difference that is not listed there and on a listed one that is gone.
//
// The suite is no part of the repository: "make services" or "make suite" fetches
// it. Without it the test is skipped, and fails where OUTBOXGEN_REQUIRE names
// suite.
package suite_test

import _ "github.com/outboxgen/outboxgen/runtime" // imported so that a change of the runtime runs the test again
