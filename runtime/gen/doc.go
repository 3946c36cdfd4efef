// Package gen holds what generated code calls to insert, decode and handle
// events. Nobody else needs it: services call the functions of their generated
// package, and package outbox. Package wire, beside it, holds what generated code
// calls to read, write and check JSON.
package gen

// SupportsGenerator1 is true while this package can serve code that generator
// version 1 wrote. Generated code refers to it, so that a mismatch is an error of
// the compiler; the comment there says how to fix it.
const SupportsGenerator1 = true
