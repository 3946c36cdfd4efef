package emit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

type unionView struct {
	Doc           []string
	Name, Unknown string
	Methods       []string // of Unknown
	Decode        []string
	Var, Union    string // writes and checks the values
}

// unionVar returns the variable that writes and checks the values of a union.
func unionVar(n *ir.Named) string { return "union" + n.Name }

// union prints an interface with a type for each branch.
func (c *coder) union(n *ir.Named) (string, error) {
	c.imports[wirePath], c.imports["encoding/json"] = "", ""
	u := n.Union
	view := unionView{Doc: c.unionDoc(n), Name: n.Name, Unknown: u.Unknown, Decode: c.decodeUnion(u), Var: unionVar(n)}
	view.Methods = []string{
		marshal, validate,
		"func (v NAME) encode(e *wire.Encoder) { e.Raw(json.RawMessage(v)) }",
		"func (v NAME) check(c *wire.Checker) { " + unionVar(n) + ".NoBranch(c, v) }",
		"func (NAME) is" + n.Name + "() {}",
	}
	args := []string{n.Name + ".encode", c.checkBranches(n), quote(n.Place), quote(u.Keyword), raw(c.wanted(u))}
	if c.places(n) != "" {
		args = append(args, n.PlacesVar+"...")
	}
	view.Union = strings.Join(args, ", ")
	return c.execute("union.tmpl", view)
}

// checkBranches returns a function that checks a branch: a method of the interface,
// unless an enum needs more checks in this union than alone.
func (c *coder) checkBranches(n *ir.Named) string {
	var cases []string
	seen := map[*ir.Named]bool{}
	for _, branch := range n.Union.Branches {
		if t := branch.Type; !seen[branch.Named] && t.Kind == ir.Enum && !c.sameEnum(t, n.Place) {
			lines := c.check(t, "v", "", 0)
			if t.Place != "" && t.Place != n.Place {
				lines = append([]string{"c.Schema(" + quote(t.Place) + ")"}, lines...)
			}
			cases = append(append(cases, "case "+branch.Named.Name+":"), lines...)
		}
		seen[branch.Named] = true
	}
	if len(cases) == 0 {
		return n.Name + ".check"
	}
	lines := slices.Concat([]string{"switch v := v.(type) {"}, cases, []string{"default:", "v.check(c)", "}"})
	return "func(v " + n.Name + ", c *wire.Checker) {\n" + strings.Join(lines, "\n") + "\n}"
}

// sameEnum reports whether the method of an enum checks all of t, as a branch of a
// union whose schema is at a place.
func (c *coder) sameEnum(t *ir.Type, union string) bool {
	return t.Rules == nil && (t.Place == t.Named.Place || t.Place == "" && union == "")
}

func enumType(n *ir.Named) *ir.Type { return &ir.Type{Kind: ir.Enum, Named: n, Place: n.Place} }

// conversion returns v converted to another type.
func conversion(to, v string) string {
	if strings.HasPrefix(to, "*") {
		to = "(" + to + ")"
	}
	return to + "(" + v + ")"
}

// unionDoc describes the branches and what distinguishes them.
func (c *coder) unionDoc(n *ir.Named) []string {
	by := ", told apart by their JSON types."
	if tag := n.Union.Tag; len(tag) > 0 {
		by = ", told apart by " + quote(strings.Join(tag, "/")) + "."
	} else if slices.ContainsFunc(n.Union.Branches, func(b *ir.Branch) bool { return b.Order > 0 }) {
		by = ", told apart by their properties."
	}
	return described(n, n.Name+" is "+c.alternatives(n.Union)+by)
}

// alternatives names the types of a union.
func (c *coder) alternatives(u *ir.Union) string {
	var names []string
	for _, branch := range u.Branches {
		if !slices.Contains(names, branch.Named.Name) {
			names = append(names, branch.Named.Name)
		}
	}
	return "one of " + enumerate(names, "and")
}

// enumerate joins words as a sentence does.
func enumerate(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

// wanted returns the alternatives for a message.
func (c *coder) wanted(u *ir.Union) string {
	var words []string
	for _, branch := range u.Branches {
		word := schema.TypeText(branch.JSON)
		switch {
		case len(branch.Tags) > 0:
			var values []string
			for _, v := range branch.Tags {
				values = append(values, v.Short())
			}
			word = "an object with " + quote(strings.Join(u.Tag, "/")) + " " + strings.Join(values, " or ")
		case branch.Member != "":
			word = "an object with " + quote(branch.Member)
		}
		if !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return enumerate(words, "or")
}

// decodeUnion returns the body of the function that reads a union.
func (c *coder) decodeUnion(u *ir.Union) []string {
	unknown := "return wire.NoBranch[" + u.Unknown + "](d)"
	var objects []*ir.Branch
	kinds := 0
	var lines []string
	for _, branch := range u.Branches {
		if branch.JSON == "object" {
			if objects = append(objects, branch); len(objects) == 1 {
				kinds++
			}
			continue
		}
		kinds++
		lines = append(lines, "case "+firstByte(branch.JSON)+":", "return "+c.readBranch(branch))
	}
	if kinds == 1 {
		return c.chooseObject(u, objects, unknown)
	}
	lines = append([]string{"switch d.Kind() {"}, lines...)
	switch {
	case len(objects) == 1:
		lines = append(lines, "case '{':", "return "+c.readBranch(objects[0]))
	case len(objects) > 1:
		lines = append(append(lines, "case '{':"), c.chooseObject(u, objects, "")...)
	}
	return append(lines, "}", unknown)
}

// chooseObject returns the statements that find the branch of an object. If none
// matches, execution continues after them, or with the statement otherwise.
func (c *coder) chooseObject(u *ir.Union, objects []*ir.Branch, otherwise string) []string {
	var lines []string
	if len(u.Tag) > 0 {
		path := list(u.Tag)
		switch u.Base {
		case ir.Int:
			lines = append(lines, "switch tag, ok := d.IntAt("+path+"); {")
		case ir.Bool:
			lines = append(lines, "switch tag, ok := d.BoolAt("+path+"); {")
		default:
			lines = append(lines, "switch d.StringAt("+path+") {")
		}
		for _, branch := range objects {
			lines = append(lines, tagCase(u.Base, branch.Tags), "return "+c.readBranch(branch))
		}
		return closed(lines, otherwise)
	}
	objects = slices.Clone(objects)
	slices.SortFunc(objects, func(a, b *ir.Branch) int { return a.Order - b.Order })
	var names []string
	for _, branch := range objects {
		if branch.Member != "" {
			names = append(names, branch.Member)
			lines = append(lines, "case "+quote(branch.Member)+":", "return "+c.readBranch(branch))
		}
	}
	lines = append([]string{"switch d.FirstOf(" + list(names) + ") {"}, lines...)
	if last := objects[len(objects)-1]; last.Member == "" {
		// An object without any of the members, or not an object at all.
		otherwise = "return " + c.readBranch(last)
	}
	return closed(lines, otherwise)
}

// closed ends a switch, and adds the statement after it, if there is one.
func closed(lines []string, after string) []string {
	lines = append(lines, "}")
	if after != "" {
		lines = append(lines, after)
	}
	return lines
}

func tagCase(base ir.Kind, tags []*schema.Value) string {
	var words []string
	for _, v := range tags {
		switch {
		case base == ir.String:
			words = append(words, quote(v.Text))
		case base == ir.Int:
			words = append(words, "ok && tag == "+int64Literal(v.Text))
		case v.Bool:
			words = append(words, "ok && tag")
		default:
			words = append(words, "ok && !tag")
		}
	}
	if base == ir.String {
		return "case " + strings.Join(words, ", ") + ":"
	}
	return "case " + strings.Join(words, " || ") + ":"
}

// firstByte returns Decoder.Kind for a JSON type.
func firstByte(json string) string {
	return cmp.Or(map[string]string{"string": `'"'`, "array": `'['`, "boolean": `'t', 'f'`}[json], `'0'`)
}

func (c *coder) readBranch(branch *ir.Branch) string {
	if of := branch.Named.Of; of == nil {
		return c.read(branch.Type)
	} else if plainly(of) {
		return c.readOf(branch.Named)
	}
	return "decode" + branch.Named.Name + "(d)"
}

type branchView struct {
	Doc        []string
	Name, Type string
	Methods    []string
	Check      []linesView
}

// branch prints the type of a branch that is neither a struct nor an enum, or of a
// slice or map that contains itself.
func (c *coder) branch(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	base := c.base(n.Of)
	view := branchView{Doc: typeDoc(n), Name: n.Name, Type: base}
	value := conversion(base, "v")
	if wrapped(n.Of) {
		view.Type, value = "struct{ Value "+base+" }", "v.Value"
	}
	written := value
	if assignable(n.Of) {
		written = "v"
	}
	unmarshal, read := unmarshal, ""
	if text := scalars[n.Of.Kind].decode; text != "" {
		unmarshal = "func (v *NAME) UnmarshalJSON(b []byte) error { return wire." + text + "(b, v) }"
	} else if plainly(n.Of) {
		unmarshal = "func (v *NAME) UnmarshalJSON(b []byte) error {\nreturn wire.Decode(b, v, func(d *wire.Decoder) NAME { return " + c.readOf(n) + " })\n}"
	} else {
		read = "func decodeNAME(d *wire.Decoder) NAME { return " + c.read(n.Of) + " }"
		if !assignable(n.Of) {
			read = "func decodeNAME(d *wire.Decoder) NAME { return " + c.readOf(n) + " }"
		}
	}
	methods := []string{marshal, validate, "func (v NAME) encode(e *wire.Encoder) { " + c.write(n.Of, "e", written) + " }", unmarshal}
	view.Methods, view.Check = c.checking(n, methods, "NAME", func() []string {
		if !wrapped(n.Of) && takenAsIs(n.Of) {
			value = "v"
		}
		return append(c.standing(n), c.check(n.Of, value, "", 0)...)
	})
	view.Methods = c.sealing(n, view.Methods)
	if read != "" {
		view.Methods = append(view.Methods, read)
	}
	return c.execute("branch.tmpl", view)
}

// sealing adds the methods that make a type a branch of its unions, before the last
// one, which may be long.
func (c *coder) sealing(n *ir.Named, methods []string) []string {
	last := len(methods) - 1
	for _, union := range c.unionsOf[n] {
		methods = slices.Insert(methods, last, "func (NAME) is"+union.Name+"() {}")
		last++
	}
	return methods
}

// readOf returns an expression that reads a declared type without fields.
func (c *coder) readOf(n *ir.Named) string {
	if wrapped(n.Of) {
		return n.Name + "{Value: " + c.read(n.Of) + "}"
	}
	return n.Name + "(" + c.read(n.Of) + ")"
}

// assignable reports whether a value of a type declared on t can be used as t, and the
// reverse.
func assignable(t *ir.Type) bool {
	return t.Kind == ir.Slice || t.Kind == ir.Map || t.Kind == ir.Object
}

// plainly reports whether one call reads a value of type t.
func plainly(t *ir.Type) bool { return t.Elem == nil && t.Named == nil }

// wrapped reports whether a declared type wraps t in a struct, because pointers and
// interfaces cannot have methods.
func wrapped(t *ir.Type) bool {
	return t.Kind == ir.BigInt || t.Kind == ir.Any || t.Kind == ir.UnionKind
}

// takenAsIs reports whether the checks of t accept a value of a type declared on it.
func takenAsIs(t *ir.Type) bool {
	switch t.Kind {
	case ir.String, ir.Int, ir.Uint, ir.Float, ir.Bool, ir.Slice, ir.Map, ir.Object, ir.Bytes:
		return t.Rules == nil
	}
	return false
}

type rawUnionView struct {
	Doc      []string
	Name     string
	Branches []rawBranchView
	Methods  []string
	Checks   []string
}

type rawBranchView struct{ Name, Type, QuotedType, Read, Write, Check string }

// rawUnion prints a union that keeps its bytes.
func (c *coder) rawUnion(n *ir.Named) (string, error) {
	c.imports[wirePath], c.imports["encoding/json"] = "", ""
	u := n.Union
	view := rawUnionView{Name: n.Name}
	view.Methods = []string{marshal, validate, "func (v NAME) encode(e *wire.Encoder) { e.RawOrNull(v.Raw) }", strings.Replace(unmarshal, "wire.Decode(b, v, decodeNAME)", "wire.DecodeKept(b, v)", 1)}
	var names, words, refusals []string
	for _, branch := range u.Branches {
		t := branch.Type
		b := rawBranchView{Name: branch.Name, Type: c.base(t), Read: c.reader(t), Write: c.writer(t), Check: "nil"}
		b.QuotedType = quote(b.Type)
		switch {
		case !c.needsCheck(t):
		case t.Kind == ir.Struct && t.Rules == nil:
			b.Check = "(*" + t.Named.Name + ").check"
		default:
			v := "*v"
			if t.Elem != nil || t.Named != nil {
				v = "(*v)" // it is indexed, or has methods
			}
			b.Check = fmt.Sprintf("func(v *%s, c *wire.Checker) {\n%s\n}", b.Type, strings.Join(c.check(t, v, "", 0), "\n"))
		}
		view.Branches = append(view.Branches, b)
		names = append(names, "As"+b.Name)
		words = append(words, b.Name)
		refusals = append(refusals, fmt.Sprintf("wire.Refusal(v.as%s)", b.Name))
	}
	check := "OneOf"
	if u.Keyword != "oneOf" {
		check = "AnyOf"
	}
	args := append([]string{quote(enumerate(words, "and"))}, refusals...)
	checks := append(c.standing(n), fmt.Sprintf("wire.%s(c, v, %s)", check, breakLine(args)))
	if n.Rules != nil {
		checks = append(checks, fmt.Sprintf("wire.Rules(c, v, %s, &%s)", c.writer(typeOf(n)), n.Rules.Var))
	}
	view.Checks = oneCheck(checks)
	view.Doc = described(n, fmt.Sprintf("%s may match several branches, so it holds the JSON: %s decode it.", n.Name, enumerate(names, "and")))
	view.Methods = c.sealing(n, view.Methods)
	return c.execute("rawunion.tmpl", view)
}
