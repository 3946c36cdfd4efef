package compat

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// tag is a property by whose constant an object may tell itself from others: a
// const, or an enum of one value. The two are not compared with each other.
type tag struct {
	property string
	kind     kind // constKind or enumKind
}

// discriminated reports whether two objects give one property different
// constants, as the variants of a sum type do. Such a pair is incompatible
// whatever else they say, and there are many of them where there are many
// variants.
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

// constants is what the properties of an object hold that have a constant, and
// nothing beside it that might take another value.
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

// constant is the one const or enum of one value among the parts of a schema.
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
