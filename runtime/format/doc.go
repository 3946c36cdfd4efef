// Package format checks the formats of JSON Schema that stay strings in Go. [Names] lists
// them. Generated code uses this package through package wire. The generator uses it to
// know which formats are checked, and to check examples. Services seldom need it.
package format
