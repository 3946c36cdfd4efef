package manyevents

import (
	"bytes"
	encoding "encoding/json"
	"strings"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// list is a JSON array.
type list []any

// json is an object as JSON, as an editor would indent it.
func json(o object) []byte {
	var line, out bytes.Buffer
	compact(&line, o)
	if err := encoding.Indent(&out, line.Bytes(), "", "  "); err != nil {
		panic(err) // compact writes JSON
	}
	out.WriteByte('\n')
	return out.Bytes()
}

func compact(b *bytes.Buffer, value any) {
	switch v := value.(type) {
	case object:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			compact(b, m.name)
			b.WriteByte(':')
			compact(b, m.value)
		}
		b.WriteByte('}')
	case list:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			compact(b, item)
		}
		b.WriteByte(']')
	default:
		b.Write(scalar(v))
	}
}

// yaml is an object as YAML: block style, and lists of scalars on one line.
func yaml(o object) []byte {
	var b bytes.Buffer
	members(&b, o, 0)
	return b.Bytes()
}

func members(b *bytes.Buffer, o object, depth int) {
	for i, m := range o {
		if i > 0 {
			b.WriteString(strings.Repeat("  ", depth))
		}
		b.WriteString(m.name + ":")
		block(b, m.value, depth+1)
	}
}

// block is a value behind its name or dash.
func block(b *bytes.Buffer, value any, depth int) {
	switch v := value.(type) {
	case object:
		b.WriteString("\n" + strings.Repeat("  ", depth))
		members(b, v, depth)
	case list:
		if len(v) > 0 {
			if _, ok := v[0].(object); ok {
				for _, item := range v {
					b.WriteString("\n" + strings.Repeat("  ", depth) + "- ")
					members(b, item.(object), depth+1)
					b.Truncate(b.Len() - 1)
				}
				b.WriteByte('\n')
				return
			}
		}
		b.WriteByte(' ')
		compact(b, v)
		b.WriteByte('\n')
	default:
		b.WriteByte(' ')
		b.Write(scalar(v))
		b.WriteByte('\n')
	}
}

// scalar is a string, number or truth value; as JSON it is YAML too.
func scalar(value any) []byte {
	out, err := encoding.Marshal(value)
	if err != nil {
		panic(err) // only scalars come here
	}
	return out
}
