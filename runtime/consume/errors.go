package consume

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

// Record identifies the record that an error is about. Unknown fields are empty.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	EventID   string
	EventType string
}

// String returns the record as topic/partition@offset, with the event's type and id if
// they are known.
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

// DecodeError is returned by [Router.Dispatch] when a record is not the event that its
// type says: its body is not JSON, lacks the envelope's fields, or does not fit the
// generated Go type. It wraps a [PanicError] if the decoder panicked. A retry fails
// again. Usual causes are a producer with a newer schema than this service's generated
// package, and a foreign record in the topic.
type DecodeError struct {
	Record Record
	Err    error
}

func (e *DecodeError) Error() string {
	remedy := "regenerate from the producer's schema if it has a newer version, or skip the record"
	var known interface {
		error
		Remedy() string
	}
	if errors.As(e.Err, &known) {
		remedy = known.Remedy()
	}
	return fmt.Sprintf("consume: decode record %s: %v; %s", e.Record, e.Err, remedy)
}

// Unwrap returns the decoder's error.
func (e *DecodeError) Unwrap() error { return e.Err }

// UnknownTypeError is returned by [Router.Dispatch] under [Fail] for a record whose
// event type has no handler.
type UnknownTypeError struct {
	Record Record
}

func (e *UnknownTypeError) Error() string {
	if e.Record.EventType == "" {
		return fmt.Sprintf("consume: record %s: the record does not say its event type; "+
			"read the type from another place with TopicOptions.TypeFrom, or make the router with OnUnknown(Skip)", e.Record)
	}
	return fmt.Sprintf("consume: record %s: no handler is registered for event type %q; "+
		"register one, or make the router with OnUnknown(Skip)", e.Record, e.Record.EventType)
}

// HandlerError is returned by [Router.Dispatch] when a handler, or middleware around
// it, returned an error or panicked. errors.Is and errors.As find the handler's own
// error; a panic is a [PanicError].
type HandlerError struct {
	Record Record
	// Batch is the number of records if a batch handler failed for all of them; Record is
	// the first one. 0: the error is about one record.
	Batch int
	Err   error
}

func (e *HandlerError) Error() string {
	if e.Batch > 0 {
		return fmt.Sprintf("consume: handle batch of %d records from %s: %v", e.Batch, e.Record, e.Err)
	}
	return fmt.Sprintf("consume: handle record %s: %v", e.Record, e.Err)
}

// Unwrap returns the handler's error.
func (e *HandlerError) Unwrap() error { return e.Err }

// BatchError is returned by a batch handler to say which message failed. The messages
// before it are handled, and are not delivered again. The failed message and those after
// it are handed over again, as a batch. After its last attempt (kafka.Config.MaxAttempts),
// only the failed message goes to the retry or dead-letter topic.
//
// Return another error if the effects of the messages before it are rolled back: with a
// BatchError these messages would be lost.
type BatchError struct {
	Index int   // of the failed message in the batch, from 0
	Err   error // why it failed
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("message %d of the batch: %v", e.Index, e.Err)
}

// Unwrap returns the error of the message.
func (e *BatchError) Unwrap() error { return e.Err }

// cause is the error of the message, or the error itself if it has none.
func (e *BatchError) cause() error {
	if e.Err == nil {
		return e
	}
	return e.Err
}

// Permanent reports whether a retry of the same record is certain to fail: the record does
// not decode, or no handler is registered for its type.
func Permanent(err error) bool {
	_, undecodable := errors.AsType[*DecodeError](err)
	_, unknown := errors.AsType[*UnknownTypeError](err)
	return undecodable || unknown
}

// PanicError is a panic of a handler, of middleware or of a decoder that
// [Router.Dispatch] recovered. A [HandlerError] or [DecodeError] wraps it and names the
// record.
type PanicError struct {
	Value any    // passed to panic; never nil
	Stack []byte // of the goroutine that panicked, as debug.Stack gives it
}

// Error returns the value that was passed to panic, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value that was passed to panic if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// RecoverTo recovers a panic and sets *err to a [PanicError]. It does so, too, if *err is
// an error whose methods panic, as those of a nil pointer often do. Defer it in code that
// calls functions of a service:
//
//	func call(f func() error) (err error) {
//		defer consume.RecoverTo(&err)
//		return f()
//	}
func RecoverTo(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
		return
	}
	*err = usable(*err)
}

// usable returns err, or the panic of its methods.
func usable(err error) (checked error) {
	defer func() {
		if v := recover(); v != nil {
			checked = &PanicError{Value: fmt.Sprintf("a method of the error, a %T, panicked: %v", err, v), Stack: debug.Stack()}
		}
	}()
	safeerr.Use(err)
	return err
}
