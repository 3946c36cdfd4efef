package emit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// hasChecks reports whether a type has checks, as far as p.checked has those of its
// parts.
func (p *printer) hasChecks(n *ir.Named) bool {
	if n.Union != nil {
		return true
	}
	if n.Holds != nil {
		return p.needsCheck(n.Holds) || len(p.given(held(n), "")) > 0
	}
	if n.Of != nil {
		return p.needsCheck(n.Of)
	}
	if n.Open != nil {
		return p.needsCheck(n.Open)
	}
	if len(n.Enum) > 0 || n.Rules != nil || n.MinProperties != nil || n.MaxProperties != nil || n.Extra != nil && p.needsCheck(n.Extra) {
		return true
	}
	if typedMatching(n) || n.Tuple && tupleChecks(n) {
		return true
	}
	return slices.ContainsFunc(n.Fields, func(f *ir.Field) bool {
		return p.needsCheck(f.Type) && !f.Conditional || len(p.given(f, "")) > 0
	})
}

// needsCheck reports whether a value of type t has checks.
func (p *printer) needsCheck(t *ir.Type) bool {
	if t.Named != nil {
		return t.Rules != nil || p.checked[t.Named] || len(t.Named.Enum) > 0 && t.Named.Open == nil
	}
	if t.Rules != nil || t.Elem != nil && p.needsCheck(t.Elem) {
		return true
	}
	return t.Const != nil || t.UniqueItems || t.Keys != nil || len(constraints(t)) > 0
}

// constraint is a keyword that a call checks: call is its beginning, with a place for
// the value, and arg the next argument.
type constraint struct{ keyword, call, arg string }

// constraints returns the constraints of a type, in the order of their checks.
func constraints(t *ir.Type) []constraint {
	var all []constraint
	add := func(keyword, call, arg string) {
		if arg != "" {
			all = append(all, constraint{keyword, call, arg})
		}
	}
	count := func(n *int, least int) string {
		if n == nil || *n < least {
			return ""
		}
		return strconv.Itoa(*n)
	}
	add("minLength", "wire.MinLength(c, %s", count(t.MinLength, 1))
	add("maxLength", "wire.MaxLength(c, %s", count(t.MaxLength, 0))
	if t.Pattern != nil {
		add("pattern", "wire.Matches(c, %s", t.Pattern.Var)
	}
	if t.Format != "" {
		add("format", "wire.Format(c, %s", quote(t.Format))
	}
	switch t.Kind {
	case ir.Date:
		add("format", "wire.Exists(c, %s", quote("date"))
	case ir.TimeOfDay:
		add("format", "wire.Exists(c, %s", quote("time"))
	}
	add("minimum", "wire.Minimum(c, %s", t.Minimum)
	add("maximum", "wire.Maximum(c, %s", t.Maximum)
	add("exclusiveMinimum", "wire.ExclusiveMinimum(c, %s", t.ExclusiveMinimum)
	add("exclusiveMaximum", "wire.ExclusiveMaximum(c, %s", t.ExclusiveMaximum)
	if t.Kind == ir.Float {
		add("multipleOf", "wire.MultipleOfFloat(c, %s", t.MultipleOf)
	} else {
		add("multipleOf", "wire.MultipleOf(c, %s", t.MultipleOf)
	}
	add("minItems", "c.MinItems(len(%s)", count(t.MinItems, 1))
	add("maxItems", "c.MaxItems(len(%s)", count(t.MaxItems, 0))
	add("minProperties", "c.MinProperties(len(%s)", count(t.MinProperties, 1))
	add("maxProperties", "c.MaxProperties(len(%s)", count(t.MaxProperties, 0))
	return all
}

// checks returns the body of a type's check method.
func (c *coder) checks(n *ir.Named) []string {
	lines := c.standing(n)
	if n.SpellingName != "" && comparesTexts(n) {
		lines = append(lines, "c.Spelled(v."+n.SpellingName+")")
	}
	for _, f := range n.Fields {
		switch {
		case n.Tuple:
			lines = append(lines, c.checkFieldAt(f, f.JSON)...)
		case c.filled[n] && f.Type.Const != nil && f.Type.Rules == nil && c.shape(f) == plain && !f.Conditional:
			lines = append(lines, fmt.Sprintf("wire.ConstBy(c, v.%s, %s, %s, %s)", f.Name, c.literal(f.Type, f.Type.Const), quote("New"+n.Name), quote(f.JSON)))
		default:
			lines = append(lines, c.checkFieldAt(f, quote(f.JSON))...)
		}
	}
	if n.Tuple {
		lines = append(lines, c.checkTuple(n)...)
	}
	lines = append(lines, c.checkMatching(n)...)
	if n.Extra != nil && !n.Tuple && c.needsCheck(n.Extra) {
		lines = append(lines, "for key, value := range v."+n.ExtraName+" {")
		lines = append(lines, c.checkElement(n.Extra, "value", "key", 1)...)
		lines = append(lines, "}")
	}
	if n.MinProperties != nil || n.MaxProperties != nil {
		lines = append(lines, "n := "+c.countMembers(n))
		if n.MinProperties != nil {
			lines = append(lines, fmt.Sprintf("c.MinProperties(n, %d)", *n.MinProperties))
		}
		if n.MaxProperties != nil {
			lines = append(lines, fmt.Sprintf("c.MaxProperties(n, %d)", *n.MaxProperties))
		}
	}
	if n.Rules != nil {
		lines = append(lines, fmt.Sprintf("wire.Rules(c, %s, %s, &%s)", c.whole(n), c.writer(typeOf(n)), n.Rules.Var))
	}
	return lines
}

// whole returns the value of a struct in its check method.
func (c *coder) whole(n *ir.Named) string {
	if c.branches[n] {
		return "v"
	}
	return "*v"
}

func typeOf(n *ir.Named) *ir.Type { return &ir.Type{Kind: ir.Struct, Named: n} }

// countMembers returns an expression for the number of members of a struct.
func (c *coder) countMembers(n *ir.Named) string {
	if overlapping(n) {
		return "wire.CountMembers(" + c.whole(n) + ", " + c.writer(typeOf(n)) + ")" // a property may match several patterns
	}
	sum := c.countFields(n)
	for _, m := range n.Matching {
		if m.Type != nil {
			sum += " + len(v." + m.Name + ")"
		}
	}
	if n.UnknownName != "" {
		sum += " + len(v." + n.UnknownName + ")"
	}
	if n.ExtraName != "" {
		sum += " + len(v." + n.ExtraName + ")"
	}
	return strings.TrimPrefix(sum, "0 + ")
}

// countFields returns an expression for the number of fields that are present.
func (c *coder) countFields(n *ir.Named) string {
	required, optional := c.there(n)
	sum := fmt.Sprint(required)
	if len(optional) > 0 {
		sum += " + wire.Count(" + breakLine(optional) + ")"
	}
	return sum
}

// there returns the number of required fields, and for each other field an expression
// that reports whether it is present.
func (c *coder) there(n *ir.Named) (required int, optional []string) {
	for _, f := range n.Fields {
		switch {
		case f.Required:
			required++
		case c.shape(f) == nullable:
			optional = append(optional, "!v."+f.Name+".IsZero()")
		default:
			optional = append(optional, "v."+f.Name+" != nil")
		}
	}
	return required, optional
}

// checkFieldAt returns the checks of a field at a path.
func (c *coder) checkFieldAt(f *ir.Field, at string) []string {
	if f.Conditional {
		return nil // what applies to it under a condition is a rule
	}
	lines := c.given(f, at)
	if c.needsCheck(f.Type) {
		lines = append(lines, c.checkValue(f, at)...)
	}
	return lines
}

// checkValue returns what the schema of a field asks of its value.
func (c *coder) checkValue(f *ir.Field, at string) []string {
	check := func(v string) []string { return c.check(f.Type, v, at, 0) }
	v := "v." + f.Name
	switch c.shape(f) {
	case pointer:
		return wrapIf(v+" != nil", check("*"+v))
	case nilable:
		return c.checkNilable(f.Type, v, at, 0)
	case nullable:
		if f.Type.Kind == ir.Any {
			return wrapIf("!"+v+".IsZero()", append([]string{"x, _ := " + v + ".Get()"}, check("x")...)) // null is a value
		}
		if f.Type.Indirect {
			return wrapIf("x, ok := "+v+".Get(); ok && x != nil", check("*x"))
		}
		if f.Type.Kind == ir.UnionKind && f.Type.Rules == nil {
			return []string{fmt.Sprintf("%s.CheckNullable(c, %s%s)", unionVar(f.Type.Named), v, behind(at))}
		}
		return wrapIf("x, ok := "+v+".Get(); ok", check("x"))
	default:
		return check(v)
	}
}

// checkNilable returns the checks of a value whose nil means null or absent.
func (c *coder) checkNilable(t *ir.Type, v, at string, depth int) []string {
	lines := c.check(t, v, at, depth)
	switch {
	case t.Kind == ir.UnionKind && t.Rules == nil:
		return []string{fmt.Sprintf("%s.CheckOptional(c, %s%s)", unionVar(t.Named), v, behind(at))}
	case t.Kind == ir.UnionKind, t.Kind == ir.Collection, t.Kind == ir.Any, t.Kind == ir.BigInt:
	case t.Rules == nil && t.Const == nil && atLeast(t.MinItems) == 0 && atLeast(t.MinProperties) == 0:
		return lines // the rest applies to nil too
	}
	return wrapIf(v+" != nil", lines)
}

func atLeast(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func wrapIf(condition string, lines []string) []string {
	return append(append([]string{"if " + condition + " {"}, lines...), "}")
}

// check returns the checks of a value which is not null. at is the path to it.
func (c *coder) check(t *ir.Type, v, at string, depth int) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	to := behind(at)
	if t.Rules != nil {
		add("wire.Rules(c, %s, %s, &%s%s)", v, c.writer(t), t.Rules.Var, to)
	}
	if t.Const != nil {
		add("wire.Const(c, %s, %s%s)", v, c.literal(t, t.Const), to)
		return lines
	}
	switch t.Kind {
	case ir.Struct, ir.Collection:
		if c.checked[t.Named] {
			if at == "" {
				add("%s(c)", call(v, "check"))
			} else {
				add("c.In(%s%s)", call(v, "check"), to)
			}
		}
		return lines
	case ir.UnionKind:
		add("%s.Check(c, %s%s)", unionVar(t.Named), v, to)
		return lines
	case ir.Enum:
		return append(lines, c.checkEnum(t, v, at, depth)...)
	}
	for _, k := range constraints(t) {
		add(k.call+", %s%s)", v, k.arg, to)
	}
	if t.UniqueItems {
		lines = append(lines, c.unique(t, v, at))
	}
	if t.Keys != nil || t.Elem != nil && c.needsCheck(t.Elem) {
		lines = append(lines, c.loop(t, v, at, depth)...)
	}
	return lines
}

// checkEnum returns the checks of a value that the schema lists.
func (c *coder) checkEnum(t *ir.Type, v, at string, depth int) []string {
	if open := t.Named.Open; open != nil {
		if !c.needsCheck(open) {
			return nil
		}
		return wrapIf("!"+call(v, "Known()"), c.check(open, conversion(c.base(open), v), at, depth))
	}
	check := "Enum"
	if t.Named.Base == ir.JSON {
		check = "JSONEnum"
	}
	return []string{fmt.Sprintf("wire.%s(c, %s, %s%s)", check, v, raw(choices(t.Named)), behind(at))}
}

// behind returns a path as the last arguments of a call.
func behind(at string) string {
	if at == "" {
		return ""
	}
	return ", " + at
}

// maxChoices and maxChoicesLen limit the values of an enum that a message lists.
const (
	maxChoices    = 8
	maxChoicesLen = 200
)

// choices returns the values of an enum for a message: each, or how many there are.
func choices(n *ir.Named) string {
	var all []string
	for _, v := range n.Enum {
		literal := v.Literal
		if n.Base == ir.JSON {
			literal, _ = strconv.Unquote(literal)
		}
		all = append(all, literal)
	}
	if text := strings.Join(all, ", "); len(all) <= maxChoices && len(text) <= maxChoicesLen {
		return text
	}
	return fmt.Sprintf("the %d values that the schema lists", len(all))
}

// call returns a method call on v, which may be a dereferenced pointer.
func call(v, method string) string {
	return strings.TrimPrefix(v, "*") + "." + method
}

func (c *coder) unique(t *ir.Type, v, at string) string {
	elem := t.Elem
	if !elem.Nullable {
		switch elem.Kind {
		case ir.Bool, ir.Int, ir.Uint, ir.Float, ir.String, ir.Null, ir.Enum, ir.Date, ir.TimeOfDay, ir.Duration:
			return fmt.Sprintf("wire.UniqueItems(c, %s%s)", v, behind(at))
		}
	}
	return fmt.Sprintf("wire.UniqueDocuments(c, %s, %s%s)", v, c.elementWriter(elem), behind(at))
}

// loop checks the items of an array or the values of a map.
func (c *coder) loop(t *ir.Type, v, at string, depth int) []string {
	if each := c.checkEach(t, v, at); each != "" {
		return []string{each}
	}
	item, key := "item", "i"
	if t.Kind == ir.Map {
		item, key = "value", "key"
	}
	if depth > 0 {
		item += fmt.Sprint(depth + 1)
		key += fmt.Sprint(depth + 1)
	}
	var inner []string
	if t.Keys != nil {
		inner = append(inner, fmt.Sprintf("wire.Name(c, %s, %s, %s, %s)", key, t.Keys.Var, raw(t.Keys.Source), inside(at, key)))
	}
	header := fmt.Sprintf("for %s := range %s {", key, v)
	switch {
	case !c.needsCheck(t.Elem):
	case t.Kind == ir.Slice && t.Elem.Kind == ir.Struct:
		inner = append(inner, c.checkElement(t.Elem, v+"["+key+"]", inside(at, key), depth+1)...)
	default:
		inner = append(inner, c.checkElement(t.Elem, item, inside(at, key), depth+1)...)
		header = fmt.Sprintf("for %s, %s := range %s {", key, item, v)
	}
	return append(append([]string{header}, inner...), "}")
}

// checkEach returns the call that checks each item of an array or each value of a map
// with the method of its type, or "" if there is more to check.
func (c *coder) checkEach(t *ir.Type, v, at string) string {
	name, elem := "CheckItems", t.Elem
	if t.Kind == ir.Map {
		name = "CheckValues"
	}
	if t.Keys != nil || elem.Nullable || elem.Rules != nil || elem.Const != nil {
		return ""
	}
	switch elem.Kind {
	case ir.UnionKind:
		return fmt.Sprintf("%s.%s(c, %s%s)", unionVar(elem.Named), name, v, behind(at))
	case ir.Struct, ir.Collection:
		return fmt.Sprintf("wire.%s(c, %s, (*%s).check%s)", name, v, elem.Named.Name, behind(at))
	}
	return ""
}

// inside returns the path to an item of the value at a path, "" for the current value.
func inside(at, key string) string {
	if at == "" {
		return key
	}
	return at + ", " + key
}

func (c *coder) checkElement(t *ir.Type, item, at string, depth int) []string {
	switch {
	case t.Kind == ir.Any || !t.Nullable:
		return c.check(t, item, at, depth)
	case t.CanBeNil():
		return c.checkNilable(t, item, at, depth)
	default:
		return wrapIf(item+" != nil", c.check(t, "*"+item, at, depth))
	}
}

// goLiteral returns a value as a Go literal of type t, "" where there is none.
func (c *coder) goLiteral(t *ir.Type, v *schema.Value) string {
	switch {
	case t.Kind == ir.Enum:
		return constant(t.Named, v)
	case t.Kind == ir.String && v.Kind == schema.String:
		return quote(v.Text)
	case t.Kind == ir.Bool && v.Kind == schema.Bool:
		return fmt.Sprint(v.Bool)
	case t.Kind == ir.Null && v.Kind == schema.Null:
		return c.base(t) + "{}"
	case v.Kind == schema.NumberKind && c.numberLiteral(t, v) != "":
		return c.numberLiteral(t, v)
	case (t.Kind == ir.Int || t.Kind == ir.Float) && v.Kind == schema.NumberKind:
		return numberLiteral(v.Text, t.Kind)
	case t.Kind == ir.Any, t.Kind == ir.Object && v.Kind == schema.Object:
		return c.anyLiteral(v)
	case v.Kind == schema.String && c.formattedLiteral(t, v.Text) != "":
		return c.formattedLiteral(t, v.Text)
	case t.Kind == ir.Map && v.Kind == schema.Object:
		return c.mapLiteral(t, v)
	case t.Kind == ir.Slice && v.Kind == schema.Array:
		var items []string
		for _, item := range v.Items {
			l := ""
			if !t.Elem.Nullable {
				l = c.goLiteral(t.Elem, item)
			}
			if l == "" {
				return ""
			}
			items = append(items, l)
		}
		return c.base(t) + "{" + strings.Join(items, ", ") + "}"
	}
	return ""
}

// anyLiteral returns a value as Decoder.Any returns it, except that numbers are plain.
func (c *coder) anyLiteral(v *schema.Value) string {
	switch v.Kind {
	case schema.Null:
		return "nil"
	case schema.Bool:
		return fmt.Sprint(v.Bool)
	case schema.String:
		return quote(v.Text)
	case schema.NumberKind:
		c.imports["encoding/json"] = ""
		return "json.Number(" + quote(v.Text) + ")"
	case schema.Array:
		var items []string
		for _, item := range v.Items {
			items = append(items, c.anyLiteral(item))
		}
		return "[]any{" + strings.Join(items, ", ") + "}"
	default:
		var members []string
		for _, m := range v.Members {
			members = append(members, quote(m.Name)+": "+c.anyLiteral(m.Value))
		}
		return "map[string]any{" + strings.Join(members, ", ") + "}"
	}
}

// comparesTexts reports whether checks of a struct compare the texts of its values,
// except in inner structs, whose own checks set the texts: rules, and uniqueItems.
func comparesTexts(n *ir.Named) bool {
	plain := func(n *ir.Named) bool { return n.SpellingName == "" }
	for t := range n.Within(plain) {
		if t.Rules != nil || t.UniqueItems {
			return true
		}
		if inner := t.Named; inner != nil && plain(inner) && (inner.Rules != nil || inner.UniqueItems) {
			return true
		}
	}
	return false
}
