package history

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

func (f *follower) do(tokens []sqltext.Token) {
	if body, language, ok := bodyOf(tokens); ok && !makesFunctionsOfLog(body) {
		f.runBody(f.inside(body), language, "a DO block", nil)
	}
}

// makesFunctionsOfLog reports whether a DO block is the one of `outboxgen migration --store
// log` that creates the functions for partitions. It changes no columns.
func makesFunctionsOfLog(body sqltext.Token) bool {
	return strings.Contains(body.Text, " FUNCTION %1$s.event_outbox_make_partition(")
}

// bodyOf returns the text that a DO or a function runs, and its language.
func bodyOf(tokens []sqltext.Token) (body sqltext.Token, language string, ok bool) {
	language = "plpgsql"
	for i, t := range tokens {
		switch {
		case i > 0 && tokens[i-1].Is("language"):
			language = strings.ToLower(t.Text)
		case t.IsText() && !ok && (tokens[0].Is("do") || i > 0 && tokens[i-1].Is("as")):
			body, ok = t, true
		}
	}
	return body, language, ok
}

// runBody follows the body of a DO or a function. Whether it has an effect may depend
// on the database, so nothing in it is an error.
func (f *follower) runBody(body source, language, what string, variables map[string]string) {
	if language != "plpgsql" && language != "sql" {
		f.doubtText(body, what)
		return
	}
	runsOnce := what == "a DO block" && !f.doubtful() && !handles.Match(body.text)
	f.inBody(body, func() {
		if language == "sql" {
			for _, s := range sqltext.Split(body.text) {
				f.statement(s.Tokens)
			}
			return
		}
		if variables == nil {
			variables = map[string]string{}
		}
		b := block{follower: f, what: what, variables: variables, catalogs: catalogs(body.text), runsOnce: runsOnce}
		for _, s := range sqltext.Split(body.text) {
			b.read(s.Tokens)
		}
		if b.madeUp && !b.doubted {
			if at, ok := f.mention(body.text); ok {
				f.doubt(at, what)
			}
		}
	})
}

// inBody calls do while another text is read, whose statements cannot fail.
func (f *follower) inBody(body source, do func()) {
	outer, tolerant := f.source, f.tolerant
	f.source, f.tolerant = body, true
	do()
	f.source, f.tolerant = outer, tolerant
}

// handles matches a body that may undo what it did.
var handles = regexp.MustCompile(`(?i)\bexception\s+when\b`)

// block is a body of PL/pgSQL that is followed statement by statement.
type block struct {
	*follower
	what      string
	variables map[string]string // with known values
	catalogs  bool              // it queries Postgres's catalogs
	runsOnce  bool              // it runs to its end, except where a condition says otherwise
	declaring bool
	frames    []frame
	doubted   bool
	madeUp    bool // it runs text that it composes
}

// frame is a construct around a statement: BEGIN, an EXCEPTION, IF, CASE or a loop.
type frame struct {
	word string
	runs answer
	done bool // an earlier branch runs
}

// answer says whether something is true.
type answer int

const (
	yes answer = iota
	likely
	unclear
	never
)

// runs says whether the next statement runs.
func (b *block) runs() answer {
	worst := yes
	for _, f := range b.frames {
		worst = max(worst, f.runs)
	}
	return worst
}

func (b *block) push(word string, runs answer) {
	b.frames = append(b.frames, frame{word: word, runs: runs})
}

func (b *block) top() *frame {
	if len(b.frames) == 0 {
		return &frame{}
	}
	return &b.frames[len(b.frames)-1]
}

// read follows the text before a semicolon: heads of blocks, and a statement.
func (b *block) read(tokens []sqltext.Token) {
	c := sqltext.NewCursor(tokens)
	for !c.Done() {
		switch {
		case c.Take("<", "<"):
			for !c.Done() && !c.Take(">", ">") {
				c.Next()
			}
		case c.Take("declare"):
			b.declaring = true
		case c.Take("begin"):
			b.declaring = false
			b.push("begin", yes)
		case b.declaring:
			b.declare(c)
			return
		case b.head(c):
		case c.Take("end"):
			if len(b.frames) > 0 {
				b.frames = b.frames[:len(b.frames)-1]
			}
			return
		default:
			b.does(c.Rest())
			return
		}
	}
}

// head reads the beginning of a branch or a loop, if that is next.
func (b *block) head(c *sqltext.Cursor) bool {
	top := b.top()
	switch {
	case c.Take("if"):
		b.push("if", never)
		b.branch(c)
	case top.word == "if" && (c.Take("elsif") || c.Take("elseif")):
		b.branch(c)
	case top.word == "if" && c.Take("else"):
		top.runs = likely
		if top.done {
			top.runs = never
		}
	case c.Take("case"):
		b.push("case", unclear)
		upTo(c, "when")
		upTo(c, "then")
	case top.word == "case" && c.Take("else"):
	case (top.word == "case" || top.word == "exception") && c.Take("when"):
		upTo(c, "then")
	case top.word == "begin" && c.Take("exception", "when"):
		top.word, top.runs = "exception", unclear
		upTo(c, "then")
	case c.Take("loop"):
		b.push("loop", unclear)
	case c.Is("for"), c.Is("foreach"), c.Is("while"):
		upTo(c, "loop")
		b.push("loop", unclear)
	default:
		return false
	}
	return true
}

// branch reads the condition of a branch.
func (b *block) branch(c *sqltext.Cursor) {
	top := b.top()
	condition := upTo(c, "then")
	top.runs = b.holds(condition)
	if top.done {
		top.runs = never
	}
	top.done = top.done || top.runs == yes
}

// upTo moves behind a word that is not in parentheses or a CASE, and returns the tokens
// before it.
func upTo(c *sqltext.Cursor, word string) []sqltext.Token {
	all := c.Rest()
	cases := 0
	for i := 0; !c.Done(); i = len(all) - len(c.Rest()) {
		switch {
		case c.Is("("):
			c.Group()
			continue
		case c.Is("case"):
			cases++
		case cases > 0 && c.Is("end"):
			cases--
		case cases == 0 && c.Take(word):
			return all[:i]
		}
		c.Next()
	}
	return all
}

// declare stores the value of a variable, if it is known.
func (b *block) declare(c *sqltext.Cursor) {
	name := c.Next().Text
	for !c.Done() {
		if c.Take(":", "=") || c.Take("=") || c.Take("default") {
			b.assign(name, c.Rest())
			return
		}
		c.Next()
	}
}

func (b *block) assign(name string, expression []sqltext.Token) {
	delete(b.variables, name)
	b.mayRunStrings(expression)
	if value, ok := b.constant(expression); ok {
		b.variables[name] = string(value.text)
	}
}

// does follows a statement of the body.
func (b *block) does(tokens []sqltext.Token) {
	runs := b.runs()
	if runs == never {
		return
	}
	c := sqltext.NewCursor(tokens)
	if c.Is("return") || c.Is("exit") || c.Is("continue") {
		b.runsOnce = false
	}
	outer := b.certain
	b.certain = b.runsOnce && runs == yes
	defer func() { b.certain = outer }()
	switch {
	case len(tokens) > 2 && (tokens[1].Is(":") && tokens[2].Is("=") || tokens[1].Is("=")):
		value := tokens[2:]
		if tokens[1].Is(":") {
			value = tokens[3:]
		}
		b.assign(tokens[0].Text, value)
		if runs != yes {
			delete(b.variables, tokens[0].Text)
		}
	case c.Take("execute"):
		b.execute(tokens, c, runs)
	case c.Is("perform"), c.Is("select"), c.Is("with"), c.Is("call"):
		for i, t := range tokens {
			if t.Is("into") && i+1 < len(tokens) {
				delete(b.variables, tokens[i+1].Text)
			}
		}
		if value, local, ok := b.setConfig(tokens); ok && runs != unclear {
			b.setPath(strings.Split(value, ","), local)
		}
		b.doubtStrings(tokens)
		if runs != unclear {
			b.call(tokens)
		}
	case runs == unclear:
		b.mayRun(tokens)
	case known(c.Peek(), []string{"create", "alter", "drop", "set", "reset"}):
		b.statement(tokens)
	default:
		b.doubtStrings(tokens)
	}
}

// execute follows EXECUTE if the text that it runs is known.
func (b *block) execute(tokens []sqltext.Token, c *sqltext.Cursor, runs answer) {
	expression := c.Rest()
	for _, end := range []string{"using", "into"} {
		expression, _, _ = cut(expression, end)
	}
	text, ok := b.constant(expression)
	if !ok {
		b.mayRunText(b.text) // of which any part may be in it
		b.mayLoseKeys(b.text)
		b.doubtStrings(tokens)
		return
	}
	follow := b.statement
	if runs == unclear {
		follow = b.mayRun
	}
	b.inBody(text, func() {
		for _, s := range sqltext.Split(text.text) {
			follow(s.Tokens)
		}
	})
}

// mayRun follows a statement that may not run: what it adds counts, and other changes of
// the table are recorded.
func (b *block) mayRun(tokens []sqltext.Token) {
	if len(tokens) == 0 {
		return
	}
	b.doubtStatement(tokens)
	if adds(tokens) {
		b.statement(tokens)
	} else {
		text := b.text[tokens[0].Start:tokens[len(tokens)-1].End]
		b.mayRunText(text)
		b.mayLoseKeys(text)
	}
}

// adds reports whether a statement only creates a table, a unique index, a trigger or a
// rule, or adds columns or constraints to a table.
func adds(tokens []sqltext.Token) bool {
	c := sqltext.NewCursor(tokens)
	if c.Take("create", "table") || c.Take("create", "unique", "index") {
		return true
	}
	if rest := *c; rest.Take("create") {
		rest.Take("or", "replace")
		rest.Take("constraint")
		return rest.Is("trigger") || rest.Is("rule")
	}
	if !c.Take("alter", "table") {
		return false
	}
	c.Take("if", "exists")
	c.Take("only")
	if _, ok := c.Name(); !ok {
		return false
	}
	return !slices.ContainsFunc(c.Items(), func(item []sqltext.Token) bool { return len(item) == 0 || !item[0].Is("add") })
}

// doubtStatement records a statement that may not run and would change the table.
func (b *block) doubtStatement(tokens []sqltext.Token) {
	if known(tokens[0], []string{"create", "alter", "drop"}) {
		if n, ok := b.target(tokens); ok {
			b.doubtAt(b.place(n.At))
			return
		}
	}
	b.doubtStrings(tokens)
}

// doubtStrings records strings that may be run and change the table.
func (b *block) doubtStrings(tokens []sqltext.Token) {
	b.mayRunStrings(tokens)
	for _, t := range tokens {
		if !t.IsText() {
			continue
		}
		inner := b.inside(t)
		if at, ok := b.changes(inner); ok {
			b.doubtAt(at)
			return
		}
		b.madeUp = b.madeUp || isMadeUp(inner.text)
	}
}

// doubtAt records once that the body may change the table.
func (b *block) doubtAt(at Place) {
	if !b.doubted {
		b.doubted = true
		b.follower.doubtPlace(at, b.what)
	}
}
