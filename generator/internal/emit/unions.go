package emit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

type unionView struct {
	Doc                    []string
	Name                   string
	Unknown, QuotedUnknown string
	Members                []string // the Go types of the branches
	Standing               []string // says where the schema stands
	Decode, Encode, Check  []string
}

// union prints an interface with a type for each branch.
func (c *coder) union(n *ir.Named) (string, error) {
	c.imports[wirePath], c.imports["encoding/json"] = "", ""
	u := n.Union
	view := unionView{
		Doc: c.unionDoc(n), Name: n.Name, Unknown: u.Unknown, QuotedUnknown: quote(u.Unknown),
		Standing: c.standing(n), Decode: c.decodeUnion(u),
	}
	var unchecked []string
	for _, branch := range u.Branches {
		name := branch.Named.Name
		if slices.Contains(view.Members, name) {
			continue
		}
		view.Members = append(view.Members, name)
		write := "encode" + name + "(e, v)"
		if branch.Named.Of == nil {
			write = c.write(branch.Type, "e", "v")
		}
		view.Encode = append(view.Encode, "case "+name+":", write)
		checks := c.checkBranch(n, branch)
		if len(checks) == 0 {
			unchecked = append(unchecked, name)
			continue
		}
		view.Check = append(append(view.Check, "case "+name+":"), checks...)
	}
	view.Members = append(view.Members, u.Unknown)
	view.Encode = append(view.Encode, "case "+u.Unknown+":", "e.Raw(json.RawMessage(v))", "default:", "e.NoBranch("+quote(n.Name)+", v)")
	if len(unchecked) > 0 {
		view.Check = append(view.Check, "case "+strings.Join(unchecked, ", ")+": // any value is valid")
	}
	view.Check = append(view.Check, "default:", fmt.Sprintf("c.NoBranch(v, %s, %s)", quote(u.Keyword), quote(c.wanted(u))))
	return c.execute("union.tmpl", view)
}

// conversion is v as another type.
func conversion(to, v string) string {
	if strings.HasPrefix(to, "*") {
		to = "(" + to + ")"
	}
	return to + "(" + v + ")"
}

func (c *coder) checkBranch(n *ir.Named, branch *ir.Branch) []string {
	switch {
	case !c.needsCheck(branch.Type):
		return nil
	case branch.Named.Of != nil, branch.Type.Kind == ir.Struct:
		return []string{"v.check(c)"}
	}
	lines := c.check(branch.Type, "v", "", 0)
	if branch.Type.Place == "" || branch.Type.Place == n.Place {
		return lines
	}
	return append([]string{"c.Schema(" + quote(branch.Type.Place) + ")"}, lines...)
}

// unionDoc says what the branches are, and what tells them apart.
func (c *coder) unionDoc(n *ir.Named) []string {
	by := ", told apart by their JSON types."
	if tag := n.Union.Tag; len(tag) > 0 {
		by = ", told apart by " + quote(strings.Join(tag, "/")) + "."
	} else if slices.ContainsFunc(n.Union.Branches, func(b *ir.Branch) bool { return b.Order > 0 }) {
		by = ", told apart by their members."
	}
	text := fmt.Sprintf("%s is %s%s Any other value decodes to %s.", n.Name, c.alternatives(n.Union), by, n.Union.Unknown)
	lines := comment(text)
	if about := comment(n.Doc); len(about) > 0 {
		lines = append(append(lines, ""), about...)
	}
	return append(lines, deprecation(n.Deprecated)...)
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

// wanted names what a value may be in a message.
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

// decodeUnion is the body of the function that reads a union.
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

// chooseObject is the statements that find the branch of an object. What fits
// none goes on behind them, or to the statement otherwise.
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
		if otherwise != "" {
			lines = append(lines, "default:", otherwise)
		}
		return append(lines, "}")
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
	if otherwise != "" {
		lines = append(lines, "default:", otherwise)
	}
	return append(lines, "}")
}

func tagCase(base ir.Kind, tags []*schema.Value) string {
	var words []string
	for _, v := range tags {
		switch {
		case base == ir.String:
			words = append(words, quote(v.Text))
		case base == ir.Int:
			words = append(words, "ok && tag == "+ir.NumberLiteral(v.Text, ir.Int))
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

// firstByte is what Decoder.Kind says of a JSON type.
func firstByte(json string) string {
	switch json {
	case "string":
		return `'"'`
	case "array":
		return `'['`
	case "boolean":
		return `'t', 'f'`
	default:
		return `'0'`
	}
}

func (c *coder) readBranch(branch *ir.Branch) string {
	if branch.Named.Of != nil {
		return "decode" + branch.Named.Name + "(d)"
	}
	return c.read(branch.Type)
}

type branchView struct {
	Doc                []string
	Name, Quoted, Base string
	Validate           []string
	Read, Write        string
	Check              []linesView
}

// branch prints the type of a branch that is neither a struct nor an enum.
func (c *coder) branch(n *ir.Named) (string, error) {
	c.imports[wirePath] = ""
	base := c.base(n.Of)
	view := branchView{
		Doc: typeDoc(n), Name: n.Name, Quoted: quote(n.Name), Base: base, Validate: []string{"return nil"},
		Read: n.Name + "(" + c.read(n.Of) + ")", Write: c.write(n.Of, "e", conversion(base, "v")),
	}
	if c.needsCheck(n.Of) {
		view.Validate = []string{"var c wire.Checker", "v.check(&c)", "return c.Err(" + quote(n.Name) + ")"}
		view.Check = []linesView{{append(c.standing(n), c.check(n.Of, c.plainly(n.Of, base), "", 0)...)}}
	}
	return c.execute("branch.tmpl", view)
}

// plainly is v for checks, which take named strings and numbers as they are.
func (c *coder) plainly(t *ir.Type, base string) string {
	switch t.Kind {
	case ir.String, ir.Int, ir.Float, ir.Bool, ir.Slice, ir.Map, ir.Object, ir.Bytes:
		if t.Rules == nil {
			return "v"
		}
	}
	return conversion(base, "v")
}

type rawUnionView struct {
	Doc          []string
	Name, Quoted string
	Branches     []rawBranchView
	Checks       []string
}

type rawBranchView struct{ Name, Type, QuotedType, Read, Write, Check string }

// rawUnion prints a union that keeps its bytes.
func (c *coder) rawUnion(n *ir.Named) (string, error) {
	c.imports[wirePath], c.imports["encoding/json"] = "", ""
	u := n.Union
	view := rawUnionView{Name: n.Name, Quoted: quote(n.Name)}
	var names, words, errs []string
	for _, branch := range u.Branches {
		t := branch.Type
		b := rawBranchView{Name: branch.Name, Type: c.base(t), Read: c.reader(t), Write: c.writer(t), Check: "nil"}
		b.QuotedType = quote(b.Type)
		switch {
		case !c.needsCheck(t):
		case t.Kind == ir.Struct:
			b.Check = "(*" + t.Named.Name + ").check"
		default:
			v := "*v"
			if t.Elem != nil {
				v = "(*v)" // which is indexed
			}
			b.Check = fmt.Sprintf("func(v *%s, c *wire.Checker) {\n%s\n}", b.Type, strings.Join(c.check(t, v, "", 0), "\n"))
		}
		view.Branches = append(view.Branches, b)
		names = append(names, "As"+b.Name)
		words = append(words, b.Name)
		errs = append(errs, "errors["+fmt.Sprint(len(errs))+"]")
		view.Checks = append(view.Checks, fmt.Sprintf("_, errors[%d] = v.As%s()", len(errs)-1, b.Name))
	}
	check := "OneOf"
	if u.Keyword != "oneOf" {
		check = "AnyOf"
	}
	view.Checks = append(append(c.standing(n), fmt.Sprintf("var errors [%d]error", len(errs))), view.Checks...)
	view.Checks = append(view.Checks, fmt.Sprintf("c.%s(%s, errors[:]...)", check, quote(enumerate(words, "and"))))
	view.Doc = comment(fmt.Sprintf("%s may be several things at once, so it is kept as it came: %s read it.", n.Name, enumerate(names, "and")))
	if about := comment(n.Doc); len(about) > 0 {
		view.Doc = append(append(view.Doc, ""), about...)
	}
	view.Doc = append(view.Doc, deprecation(n.Deprecated)...)
	return c.execute("rawunion.tmpl", view)
}
