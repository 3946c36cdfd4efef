package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Kept reads a value of any type except null as the union R, which keeps its bytes.
func Kept[R ~struct{ Raw json.RawMessage }](d *Decoder) R {
	return R{Raw: NoBranch[json.RawMessage](d)}
}

// From encodes a value as the union R, which keeps its bytes. The error is an
// *EncodeError.
func From[R ~struct{ Raw json.RawMessage }, T any](v T, write func(*Encoder, T)) (R, error) {
	raw, err := Marshal(v, nameOf[R](), write)
	return R{Raw: raw}, err
}

// As decodes the bytes of a union as one of its branches, called name, and validates it
// with check, which may be nil. asks is the checker of a union that only needs to know
// whether the branch matches; it is nil if the value is used. The error is a
// *DecodeError or a *ValidationError. Its JSON Pointers begin at the value that asks
// checks; without asks they begin at raw, whose place is not known.
func As[T any](asks *Checker, raw json.RawMessage, name string, read func(*Decoder) T, check func(*T, *Checker)) (T, error) {
	var none T
	d := Decoder{data: raw, lends: asks != nil}
	value := read(&d)
	if err := d.finish(func() string { return name }); err != nil {
		if invalid, ok := err.(*DecodeError); ok && asks != nil { //nolint:errorlint // finish returns no other
			at := asks.pointer(nil)
			for i := range invalid.Violations {
				invalid.Violations[i].Pointer = at + invalid.Violations[i].Pointer
			}
		}
		return none, err
	}
	if check == nil {
		return value, nil
	}
	c := checkers.Get().(*Checker)
	defer c.release()
	if asks != nil {
		c.asks, c.around, c.branches = asks.outermost(), asks, asks.branches+1
	}
	check(&value, c)
	if err := c.Err(name); err != nil {
		return none, err
	}
	return value, nil
}

// outermost returns the checker of the validated value, for which c checks a branch of
// a union or the value itself.
func (c *Checker) outermost() *Checker {
	if c.asks != nil {
		return c.asks
	}
	return c
}

// Refusal returns a function that says why a branch of a union does not match: it
// returns the error of as, a method that decodes the value as the branch.
func Refusal[T any](as func(*Checker) (T, error)) func(*Checker) error {
	return func(c *Checker) error {
		_, err := as(c)
		return err
	}
}

// OneOf checks that exactly one branch matches the value of a union that keeps its
// bytes. Each of refusals is the Refusal of a branch. A branch whose Go type is too
// small for a number in the value might match, and counts.
func OneOf[R ~struct{ Raw json.RawMessage }](c *Checker, v R, branches string, refusals ...func(*Checker) error) {
	switch found := ask(c, v, refusals); {
	case found.taken == 0:
		c.Fail("oneOf", "must be one of "+branches+", is none of them"+found.why)
	case found.taken > 1:
		c.Fail("oneOf", fmt.Sprintf("must be exactly one of %s, is %d of them", branches, found.taken))
	case found.limited > 0:
		c.Fail("oneOf", fmt.Sprintf("must be exactly one of %s, may be %d of them%s", branches, found.taken+found.limited, found.why))
	}
}

// AnyOf checks that at least one branch matches the value of a union that keeps its
// bytes. Each of refusals is the Refusal of a branch.
func AnyOf[R ~struct{ Raw json.RawMessage }](c *Checker, v R, branches string, refusals ...func(*Checker) error) {
	if found := ask(c, v, refusals); found.taken == 0 {
		c.Fail("anyOf", "must be one of "+branches+", is none of them"+found.why)
	}
}

// question asks which branches of a union match the value at an offset.
type question struct {
	union reflect.Type
	first *byte
	size  int
}

// answer is how many branches match the value, and why the others do not: if none
// matches, the reasons of all; otherwise those of the branches whose Go type is too
// small.
type answer struct {
	taken, limited int
	why            string
}

// maxExplained is how many levels of unions inside unions get reasons. Further inside,
// the message only says that the outer branch does not match.
const maxExplained = 2

// ask asks each branch of a union once for each value inside other unions: all outer
// branches look at the same bytes, so a recursive union would ask again for each path
// to the value.
func ask[R ~struct{ Raw json.RawMessage }](c *Checker, v R, refusals []func(*Checker) error) answer {
	raw := struct{ Raw json.RawMessage }(v).Raw
	if c.branches == 0 || len(raw) == 0 {
		return askEach(c, refusals)
	}
	q, first := question{reflect.TypeFor[R](), &raw[0], len(raw)}, c.outermost()
	found, known := first.answers[q]
	if !known {
		found = askEach(c, refusals)
		if first.answers == nil {
			first.answers = map[question]answer{}
		}
		first.answers[q] = found
	}
	return found
}

func askEach(c *Checker, refusals []func(*Checker) error) answer {
	var found answer
	var refused, small []error
	for _, refusal := range refusals {
		switch err := refusal(c); {
		case err == nil:
			found.taken++
		case limited(err):
			found.limited++
			small = append(small, err)
			fallthrough
		default:
			refused = append(refused, err)
		}
	}
	if found.taken > 0 {
		refused = small
	}
	if len(refused) > 0 && c.branches < maxExplained {
		why := make([]string, len(refused))
		for i, err := range refused {
			why[i] = err.Error()
		}
		found.why = ": " + strings.Join(why, "; ")
	}
	return found
}
