package history

import (
	"cmp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// function is a function or a procedure that the migrations create. Functions of one
// name differ in the types of their parameters.
type function struct {
	relation
	body       source
	language   string
	what       string
	parameters []parameter
	called     bool
}

// parameter is a parameter that a call fills.
type parameter struct {
	name     string // "" if it has none
	kind     string // its type
	optional bool
	variadic bool
}

// createFunction stores a function, because it may be called. It replaces one with the
// same parameters.
func (f *follower) createFunction(tokens []sqltext.Token) {
	c := sqltext.NewCursor(tokens)
	for !c.Is("function") && !c.Is("procedure") {
		c.Next()
	}
	fn := &function{what: "a " + c.Next().Text}
	name, ok := c.Name()
	if !ok {
		return
	}
	fn.relation = relation{f.schemaOf(name), name.Name}
	if c.Take("(") {
		fn.parameters = parameters(c.Items(), fn.what == "a procedure")
	}
	f.functions = slices.DeleteFunc(f.functions, func(other *function) bool {
		return other.relation == fn.relation && slices.Equal(other.kinds(), fn.kinds())
	})
	body, language, hasBody := bodyOf(tokens)
	if !hasBody { // that of BEGIN ATOMIC cannot change a table
		return
	}
	fn.body, fn.language = f.inside(body), language
	f.functions = append(f.functions, fn)
}

// parameters reads the parameters of a function, without those that it only returns, or
// of a procedure, which is called with these too.
func parameters(items [][]sqltext.Token, isProcedure bool) []parameter {
	var all []parameter
	for _, item := range items {
		c := sqltext.NewCursor(item)
		if c.Done() || c.Take("out") && !isProcedure {
			continue
		}
		var p parameter
		_ = c.Take("in", "out") || c.Take("in") || c.Take("inout")
		p.variadic = c.Take("variadic")
		written := c.Rest()
		for i, t := range written {
			if t.Is("default") || t.Is("=") || t.Is(":") {
				written, p.optional = written[:i], true
				break
			}
		}
		if len(written) > 1 && !isType(written) {
			p.name, written = written[0].Text, written[1:]
		}
		p.kind = typeName(written)
		all = append(all, p)
	}
	return all
}

// isType reports whether tokens are a type alone, and not a name and a type.
func isType(tokens []sqltext.Token) bool {
	second := tokens[1]
	switch {
	case second.Kind != sqltext.Word && second.Kind != sqltext.Quoted:
		return true // as in varchar(9), int[] and app.kind
	case tokens[0].Is("double"), tokens[0].Is("national"), tokens[0].Is("bit"), tokens[0].Is("character"), tokens[0].Is("char"):
		return known(second, []string{"precision", "varying", "character", "char"})
	case tokens[0].Is("timestamp"), tokens[0].Is("time"):
		return known(second, []string{"with", "without"})
	}
	return second.Is("array")
}

// synonyms are other names of types.
var synonyms = map[string]string{
	"integer": "int4", "int": "int4", "smallint": "int2", "bigint": "int8", "boolean": "bool", "character varying": "varchar",
	"char": "bpchar", "character": "bpchar", "double precision": "float8", "float": "float8", "real": "float4", "decimal": "numeric", "dec": "numeric",
	"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
	"time with time zone": "timetz", "time without time zone": "time",
}

// typeName returns the name of a type as Postgres stores it, without a schema and sizes.
func typeName(written []sqltext.Token) string {
	var words []string
	array := ""
	c := sqltext.NewCursor(written)
	for !c.Done() {
		switch {
		case c.Is("("):
			c.Group()
		case c.Is("["), c.Is("array"):
			array = "[]"
			c.Next()
		case c.Take("."):
			words = words[:0]
		case c.Peek().Kind == sqltext.Word, c.Peek().Kind == sqltext.Quoted:
			words = append(words, c.Next().Text)
		default:
			c.Next()
		}
	}
	name := strings.Join(words, " ")
	return cmp.Or(synonyms[name], name) + array
}

func (fn *function) kinds() []string {
	var all []string
	for _, p := range fn.parameters {
		all = append(all, p.kind)
	}
	return all
}

// takes reports whether a call may have that many arguments.
func (fn *function) takes(arguments int) bool {
	least, most := 0, len(fn.parameters)
	for _, p := range fn.parameters {
		if !p.optional && !p.variadic {
			least++
		}
		if p.variadic {
			most = max(most, arguments)
		}
	}
	return least <= arguments && arguments <= most
}

// functionsNamed returns the functions that a name may currently mean: those of the
// first schema of the path that has one, and those of later ones with other parameters.
func (f *follower) functionsNamed(n sqltext.Name) []*function {
	schemas := f.path
	switch {
	case n.AnySchema:
		schemas = nil
	case n.Schema != "":
		schemas = []string{n.Schema}
	}
	var all []*function
	for _, schema := range schemas {
		for _, fn := range f.functions {
			hidden := slices.ContainsFunc(all, func(other *function) bool { return slices.Equal(other.kinds(), fn.kinds()) })
			if fn.relation == (relation{schema, n.Name}) && !hidden {
				all = append(all, fn)
			}
		}
	}
	if len(all) == 0 && (n.AnySchema || n.Schema == "") { // the path may be set elsewhere
		for _, fn := range f.functions {
			if fn.name == n.Name {
				all = append(all, fn)
			}
		}
	}
	return all
}

// signature returns the function that a name and the parameters behind it mean. The
// parameters may be left out if there is only one of that name.
func (f *follower) signature(n sqltext.Name, c *sqltext.Cursor) *function {
	all := f.functionsNamed(n)
	if c.Take("(") {
		kinds := (&function{parameters: parameters(c.Items(), true)}).kinds()
		return last(all, func(fn *function) bool { return slices.Equal(fn.kinds(), kinds) })
	}
	if len(all) == 1 {
		return all[0]
	}
	return nil
}

// dropFunction follows DROP FUNCTION, of which c reads what follows the name.
func (f *follower) dropFunction(n sqltext.Name, c *sqltext.Cursor) {
	if gone := f.signature(n, c); gone != nil {
		f.functions = slices.DeleteFunc(f.functions, func(fn *function) bool { return fn == gone })
	}
}

// alterFunction follows a new name or another schema of a function.
func (f *follower) alterFunction(c *sqltext.Cursor) {
	c.Next()
	name, ok := c.Name()
	if !ok {
		return
	}
	if fn := f.signature(name, c); fn != nil {
		fn.alter(c)
	}
}

// deepest limits how deep functions call each other, and mostCalls how many calls of one
// statement are followed: functions that call one another could take forever.
const (
	deepest   = 8
	mostCalls = 1000
)

// call follows the functions that a statement calls, if the migrations create them.
func (f *follower) call(tokens []sqltext.Token) {
	if len(f.calls) == 0 {
		f.followed = 0
	}
	for i := 0; i < len(tokens); i++ {
		if i > 0 && tokens[i-1].Is(".") {
			continue
		}
		c := sqltext.NewCursor(tokens[i:])
		n, ok := c.Name()
		if !ok || !c.Take("(") {
			continue
		}
		arguments := c.Items()
		fits := slices.DeleteFunc(f.functionsNamed(n), func(fn *function) bool {
			return slices.Contains(f.calls, fn) || !fn.takes(len(arguments))
		})
		for _, fn := range fits {
			fn.called = true
			if len(f.calls) == deepest || f.followed == mostCalls || len(fits) > 1 { // which one depends on the types of the arguments
				f.doubtText(fn.body, fn.what)
				continue
			}
			f.followed++
			f.enter(fn, arguments)
		}
	}
}

// enter follows the body of a function that is called.
func (f *follower) enter(fn *function, arguments [][]sqltext.Token) {
	values := map[string]string{}
	caller := block{follower: f, variables: map[string]string{}}
	for i, item := range arguments {
		if value, ok := caller.constant(item); ok && i < len(fn.parameters) && fn.parameters[i].name != "" {
			values[fn.parameters[i].name] = string(value.text)
		}
	}
	f.calls = append(f.calls, fn)
	f.runBody(fn.body, fn.language, fn.what, values)
	f.calls = f.calls[:len(f.calls)-1]
}

// lookIntoFunctions checks what functions that no migration calls may do. Others may be
// called once more, as by an event trigger.
func (f *follower) lookIntoFunctions() {
	inOrder := slices.SortedFunc(slices.Values(f.functions), func(a, b *function) int {
		return cmp.Or(cmp.Compare(a.body.file, b.body.file), cmp.Compare(a.body.origin(0), b.body.origin(0)))
	})
	for _, fn := range inOrder {
		if !fn.called {
			f.doubtText(fn.body, fn.what)
		} else {
			f.mayRunText(fn.body.text)
		}
	}
}
