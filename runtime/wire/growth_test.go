package wire_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// term is a generated union that contains itself. and and not have the same members, so
// only their patterns distinguish them.
type term struct{ Raw json.RawMessage }

// operation is a branch of term.
type operation struct {
	op   string
	args []term
}

// read counts how often a branch is read.
var read int

func decodeOperation(d *wire.Decoder) (v operation) {
	read++
	o := d.Closed("op", "args")
	for o.Next() {
		switch string(o.Name) {
		case "op":
			v.op = d.String()
		case "args":
			v.args = wire.Slice(d, wire.Kept[term])
		}
	}
	return v
}

func (v term) check(c *wire.Checker) {
	wire.OneOf(c.Schema("s.json#/$defs/term"), v, "And, Not and Text", wire.Refusal(v.asAnd), wire.Refusal(v.asNot), wire.Refusal(v.asText))
}

func (v term) asAnd(asks *wire.Checker) (operation, error) { return v.operation(asks, "and") }
func (v term) asNot(asks *wire.Checker) (operation, error) { return v.operation(asks, "not") }
func (v term) asText(asks *wire.Checker) (string, error) {
	return wire.As(asks, v.Raw, "string", (*wire.Decoder).String, nil)
}

func (v term) operation(asks *wire.Checker, op string) (operation, error) {
	return wire.As(asks, v.Raw, op, decodeOperation, func(v *operation, c *wire.Checker) {
		wire.Const(c, v.op, op, "op")
		for i, arg := range v.args {
			c.In(arg.check, "args", i)
		}
	})
}

// Each branch reads each level of a document once or twice, although there are 2^60
// paths through other branches to the last level. A message stays short.
func TestUnionsInsideThemselvesLookAtEachLevelOnce(t *testing.T) {
	nested := func(levels int, leaf string) term {
		return term{json.RawMessage(strings.Repeat(`{"op":"not","args":[`, levels) + leaf + strings.Repeat("]}", levels))}
	}
	got, want := map[int]int{}, map[int]int{10: 22, 14: 30, 18: 38, 60: 122}
	for levels := range want {
		read = 0
		var c wire.Checker
		nested(levels, `"x"`).check(&c)
		if err := c.Err("term"); err != nil {
			t.Errorf("%d levels: %v", levels, err)
		}
		got[levels] = read
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("readings by levels (-want +got):\n%s", diff)
	}
	var c wire.Checker
	nested(60, "true").check(&c)
	if err := c.Err("term"); err == nil || len(err.Error()) > 2000 {
		t.Errorf("a leaf that is no term: %v", err)
	}
	if v, err := nested(60, `"x"`).asNot(nil); err != nil || len(v.args) != 1 {
		t.Errorf("got %v, %v", v, err)
	}
}

// A branch that a union returns is a copy. Changing it does not change the union.
func TestBranchesAreCopies(t *testing.T) {
	t.Parallel()
	v := term{json.RawMessage(`{"op":"not","args":["x"]}`)}
	got, err := v.asNot(nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(got.args[0].Raw, `"y"`)
	if diff := cmp.Diff(`{"op":"not","args":["x"]}`, string(v.Raw)); diff != "" {
		t.Errorf("the union (-want +got):\n%s", diff)
	}
}
