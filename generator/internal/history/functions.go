package history

import (
	"cmp"
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// function is a function or a procedure that the migrations create.
type function struct {
	body       source
	language   string
	what       string
	parameters []string
	called     bool
}

// createFunction stores a function, because it may be called.
func (f *follower) createFunction(tokens []sqltext.Token) {
	c := sqltext.NewCursor(tokens)
	for !c.Is("function") && !c.Is("procedure") {
		c.Next()
	}
	fn := &function{what: "a " + c.Next().Text}
	name, ok := c.Name()
	body, language, hasBody := bodyOf(tokens)
	if !ok || !hasBody {
		return
	}
	fn.body, fn.language = f.inside(body), language
	if c.Take("(") {
		for _, item := range c.Items() {
			p := sqltext.NewCursor(item)
			p.TakeAny("in", "inout", "variadic")
			fn.parameters = append(fn.parameters, p.Next().Text)
		}
	}
	f.functions[name.Name] = fn
}

// alterFunction follows the renaming of a function.
func (f *follower) alterFunction(c *sqltext.Cursor) {
	c.Next()
	name, ok := c.Name()
	if !ok {
		return
	}
	c.Group()
	if to := c; to.Take("rename", "to") {
		if n, ok := to.Name(); ok && f.functions[name.Name] != nil {
			f.functions[n.Name] = f.functions[name.Name]
			delete(f.functions, name.Name)
		}
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
	for i, t := range tokens[:max(len(tokens)-1, 0)] {
		if t.Kind != sqltext.Word && t.Kind != sqltext.Quoted || !tokens[i+1].Is("(") {
			continue
		}
		fn := f.functions[t.Text]
		if fn == nil || slices.Contains(f.calls, t.Text) {
			continue
		}
		if len(f.calls) == deepest || f.followed == mostCalls {
			f.doubtText(fn.body, fn.what)
			continue
		}
		f.followed++
		c := sqltext.NewCursor(tokens[i+2:])
		values := map[string]string{}
		caller := block{follower: f, variables: map[string]string{}}
		for j, item := range c.Items() {
			if value, ok := caller.constant(item); ok && j < len(fn.parameters) {
				values[fn.parameters[j]] = string(value.text)
			}
		}
		fn.called = true
		f.calls = append(f.calls, t.Text)
		f.runBody(fn.body, fn.language, fn.what, values)
		f.calls = f.calls[:len(f.calls)-1]
	}
}

// lookIntoFunctions checks what functions that no migration calls may do. Others may be
// called once more, as by an event trigger.
func (f *follower) lookIntoFunctions() {
	inOrder := slices.SortedFunc(maps.Values(f.functions), func(a, b *function) int {
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
