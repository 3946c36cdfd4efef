package emit

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// Methods of a declared type called NAME.
const (
	marshal        = "func (v NAME) MarshalJSON() ([]byte, error) { return wire.Encode(&v, v.encode) }"
	unmarshal      = "func (v *NAME) UnmarshalJSON(b []byte) error { return wire.Decode(b, v, decodeNAME) }"
	validate       = "func (v NAME) Validate() error { return wire.Validate(&v, v.check) }"
	alwaysValid    = "func (v NAME) Validate() error { return nil }"
	nothingToCheck = "func (NAME) check(*wire.Checker) {}"
)

// maxOneLine is the length of a function up to which it is written on one line.
const maxOneLine = 100

// methods prints the methods of a type: first those of one line, as a block.
func methods(name string, templates []string) string {
	short, long := "", ""
	for _, template := range templates {
		method := strings.ReplaceAll(template, "NAME", name)
		if len(method) > maxOneLine || strings.Contains(method, "\n") {
			long += "\n" + method + "\n"
		} else {
			short += "\n" + method
		}
	}
	return short + "\n" + long
}

// oneCheck moves the schema's place into the only check of a method.
func oneCheck(lines []string) []string {
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "c.Schema(") {
		return lines
	}
	if call, args, ok := strings.Cut(lines[1], "(c, "); ok && strings.HasPrefix(call, "wire.") {
		return []string{call + "(" + lines[0] + ", " + args}
	}
	if call, ok := strings.CutPrefix(lines[1], "c."); ok {
		return []string{lines[0] + "." + call}
	}
	return lines
}

// checking adds the method check to the methods of a type, whose second one is validate:
// if the body is one statement that fits, before the last method, which may be long; else
// it returns the body for a template. A type without checks is always valid.
func (c *coder) checking(n *ir.Named, methods []string, receiver string, checks func() []string) ([]string, []linesView) {
	if !c.checked[n] {
		methods[1] = alwaysValid
		if c.branches[n] {
			methods = slices.Insert(methods, len(methods)-1, nothingToCheck)
		}
		return methods, nil
	}
	lines := oneCheck(checks())
	method := "func (v " + receiver + ") check(c *wire.Checker) " + body(lines)
	if len(lines) != 1 || strings.Contains(method, "\n") || len(strings.ReplaceAll(method, "NAME", n.Name)) > maxOneLine {
		return methods, []linesView{{lines}}
	}
	return slices.Insert(methods, len(methods)-1, method), nil
}

// body returns the body of a function, on one line if it is one statement.
func body(lines []string) string {
	if len(lines) == 1 {
		return "{ " + lines[0] + " }"
	}
	return "{\n" + strings.Join(lines, "\n") + "\n}"
}
