package pgdial

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of code that the configuration of a connection has, such as a
// tracer.
type PanicError struct {
	Where string // what panicked
	Value any    // passed to panic
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Where, e.Value) }

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// recoverTo turns a panic into the error. Defer it.
func recoverTo(err *error, where string) {
	if value := recover(); value != nil {
		*err = &PanicError{Where: where, Value: value, Stack: debug.Stack()}
	}
}
