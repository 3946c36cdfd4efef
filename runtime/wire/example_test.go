package wire_test

import (
	"errors"
	"fmt"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// A document that does not fit says where, all at once.
func ExampleUnmarshal() {
	type point struct{ X, Y int64 }
	decodePoint := func(d *wire.Decoder) point {
		var p point
		o := d.Object("x", "y")
		for o.Next() {
			switch string(o.Name) {
			case "x":
				p.X = d.Int()
			case "y":
				p.Y = d.Int()
			default:
				o.Unexpected()
			}
		}
		return p
	}

	var p point
	err := wire.Unmarshal([]byte(`{"x": 1.5, "z": 0}`), &p, "Point", decodePoint)
	if invalid, ok := errors.AsType[*wire.DecodeError](err); ok {
		for _, v := range invalid.Violations {
			fmt.Println(v)
		}
	}
	// Output:
	// /x: must be an integer, is a number with a fraction (type)
	// /z: is not a member that the schema allows (additionalProperties)
	// /y: is required and missing (required)
}
