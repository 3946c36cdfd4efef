// Package safeerr finds errors whose methods panic. The usual one is a nil pointer that
// was returned as an error: it is not nil, and its methods dereference it. Such an error
// would panic later, where it is logged or compared and no code recovers the panic.
package safeerr

import "errors"

// probe is an error that no other is or wraps.
type probe struct{}

func (*probe) Error() string { return "" }

// Use calls the methods of err, and of the errors that it wraps, as errors.Is, errors.As
// and a log do. It panics if one of them does. Call it where that is recovered.
func Use(err error) {
	if err == nil {
		return
	}
	_ = err.Error()
	_ = errors.Is(err, &probe{})
	_, _ = errors.AsType[*probe](err)
}
