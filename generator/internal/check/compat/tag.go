package compat

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// tag is a property whose constant may distinguish an object: a const, or an enum of
// one value. The two are not compared with each other.
type tag struct {
	property string
	kind     kind // constKind or enumKind
}

// discriminated reports whether two objects have different constants in one property,
// as the variants of a sum type have. Such a pair is incompatible regardless of the
// rest, and unions with many variants have many such pairs.
func (c *comparison) discriminated(writer, reader *shape) bool {
	before, after := c.constants(writer), c.constants(reader)
	if len(after) < len(before) {
		before, after = after, before
	}
	for name, value := range before {
		c.work++
		if other, ok := after[name]; ok && other != value {
			return true
		}
	}
	return false
}

// constants returns the constants of an object's properties, except those that also
// allow other values.
func (c *comparison) constants(s *shape) map[tag]string {
	if s.constants != nil {
		return s.constants
	}
	s.constants = map[tag]string{}
	for _, property := range s.s.Properties {
		of := c.shape(property.Schema)
		parts := []*shape{of}
		if of.kind == combined && of.madeUp && of.op == allOf {
			parts = of.parts
		}
		if kind, value, ok := constant(parts); ok {
			s.constants[tag{property.Name, kind}] = value
		}
	}
	return s.constants
}

// constant returns the const, or the enum of one value, among the parts of a schema.
func constant(parts []*shape) (k kind, value string, ok bool) {
	for _, part := range parts {
		var values []*schema.Value
		switch part.kind {
		case constKind:
			values = []*schema.Value{part.s.Const}
		case enumKind:
			values = part.s.Enum
		case combined, anything, nothing:
			return 0, "", false
		default:
			continue
		}
		if ok || len(values) != 1 {
			return 0, "", false
		}
		k, value, ok = part.kind, values[0].Canonical(), true
	}
	return k, value, ok
}
