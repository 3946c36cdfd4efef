// Package gen is for generated code only: it inserts, decodes and handles events.
// Services call the functions of their generated package, and package outbox. Package
// wire has what generated code calls to read, write and validate JSON.
package gen

// SupportsGenerator1 is true as long as this package supports code of generator version
// 1. Generated code refers to it, so that a mismatch is a compile error; the comment
// there says how to fix it.
const SupportsGenerator1 = true
