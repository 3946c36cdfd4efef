package consume

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// Record says which record an error is about. Fields that could not be found
// out are empty.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	EventID   string
	EventType string
}

// String gives the record in the form that kafka-console-consumer and friends
// can be pointed at.
func (r Record) String() string {
	s := fmt.Sprintf("%s/%d@%d", r.Topic, r.Partition, r.Offset)
	if r.EventType != "" {
		s += " type=" + r.EventType
	}
	if r.EventID != "" {
		s += " event_id=" + r.EventID
	}
	return s
}

// DecodeError is returned by [Router.Dispatch] when a record is not what its
// type says: its body is not JSON, lacks the envelope's fields, or does not fit
// the generated Go type. It wraps a [PanicError] when the decoder panicked.
// Trying again cannot help; the usual causes are a producer that is ahead of
// this service's generated package, and a foreign record in the topic.
type DecodeError struct {
	Record Record
	Err    error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("consume: decode record %s: %v; "+
		"regenerate from the producer's schema if it has a newer version, or skip the record", e.Record, e.Err)
}

// Unwrap returns the decoder's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// UnknownTypeError is returned by [Router.Dispatch] under [Fail] for a record
// whose event type has no handler.
type UnknownTypeError struct {
	Record Record
}

func (e *UnknownTypeError) Error() string {
	return fmt.Sprintf("consume: record %s: no handler is registered for event type %q; "+
		"register one, or make the router with OnUnknown(Skip)", e.Record, e.Record.EventType)
}

// HandlerError is returned by [Router.Dispatch] when a handler, or middleware
// around it, returned an error or panicked. The handler's own error is found with
// errors.Is and errors.As; a panic is a [PanicError].
type HandlerError struct {
	Record Record
	Err    error
}

func (e *HandlerError) Error() string {
	return fmt.Sprintf("consume: handle record %s: %v", e.Record, e.Err)
}

// Unwrap returns the handler's error.
func (e *HandlerError) Unwrap() error { return e.Err }

// Permanent reports whether dispatching the same record again must fail in the
// same way: it could not be decoded, or nobody handles its type.
func Permanent(err error) bool {
	_, undecodable := errors.AsType[*DecodeError](err)
	_, unknown := errors.AsType[*UnknownTypeError](err)
	return undecodable || unknown
}

// PanicError is a panic of a handler, of middleware or of a decoder that
// [Router.Dispatch] recovered. It is wrapped by the [HandlerError] or
// [DecodeError] that names the record.
type PanicError struct {
	Value any    // what was passed to panic; never nil
	Stack []byte // of the goroutine that panicked, as debug.Stack gives it
}

// Error gives the value that was passed to panic, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value that was passed to panic if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// RecoverTo is deferred by code that calls functions of a service. A panic of
// such a function ends there, and *err becomes a [PanicError]:
//
//	func call(f func() error) (err error) {
//		defer consume.RecoverTo(&err)
//		return f()
//	}
func RecoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}
