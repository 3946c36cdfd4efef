package rule

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Violation is one place where a value violates a schema.
type Violation struct {
	// Pointer is the JSON Pointer of the value, relative to the checked value. For a
	// missing property it points to where the property would be.
	Pointer string
	// Keyword is the violated keyword; "false" where no value is allowed.
	Keyword string
	// Schema is the place of the keyword: the path of its file, # and a JSON Pointer.
	Schema string
	// Message says what is wrong. It contains no part of the value except property
	// names.
	Message string
}

// Check returns where a value violates the rules of the set; nil if it is valid. The
// value is nil, a bool, a string, a json.Number, a []any or a map[string]any of such
// values. format reports whether a string has a format; with nil, every string has
// every format.
func (s *Set) Check(value any, format func(text, format string) bool) []Violation {
	s.once.Do(s.prepare)
	e := evaluation{format: format, annotates: s.annotates}
	for _, n := range s.ready {
		e.check(n, value)
	}
	return e.violations
}

// evaluation is one call of Check.
type evaluation struct {
	format     func(text, format string) bool
	annotates  bool
	path       []string // reference tokens, escaped
	quiet      int      // above zero, violations are not recorded
	violations []Violation
	active     map[visit]bool
	answers    map[question]answer // for references, shared with evaluations for reasons
	cut        int                 // number of references that were not followed
	explaining int                 // nesting depth of explained alternatives
}

// question asks whether the object or array at an address is valid for the target of a
// reference.
type question struct {
	node  *node
	value uintptr
	items int // length of an array, -1 for an object
}

// answer is the answer to a question, and what was evaluated of the value.
type answer struct {
	ok   bool
	seen seen
	by   *evaluation // it has recorded the violations; nil: none
}

// ask returns the question for a value, which another branch may ask again. ok is false
// for values without parts.
func ask(n *node, v any) (q question, ok bool) {
	switch v := v.(type) {
	case map[string]any:
		return question{n, reflect.ValueOf(v).Pointer(), -1}, len(v) > 0
	case []any:
		return question{n, reflect.ValueOf(v).Pointer(), len(v)}, len(v) > 0
	}
	return question{}, false
}

// visit is a reference that is being followed at a place in the value.
type visit struct {
	node  *node
	depth int
}

// seen is what a schema has evaluated of an object or an array.
type seen struct {
	everything bool
	names      map[string]bool
	first      int // number of the first items
	items      map[int]bool
}

func (s *seen) add(other seen) {
	s.everything = s.everything || other.everything
	s.first = max(s.first, other.first)
	for name := range other.names {
		s.name(name)
	}
	for i := range other.items {
		s.item(i)
	}
}

func (s *seen) name(name string) {
	if s.names == nil {
		s.names = map[string]bool{}
	}
	s.names[name] = true
}

func (s *seen) item(i int) {
	if s.items == nil {
		s.items = map[int]bool{}
	}
	s.items[i] = true
}

// fail records that a keyword of n is violated, at the value or at one of its parts. It
// returns false.
func (e *evaluation) fail(n *node, keyword, message string, at ...string) bool {
	if e.quiet > 0 {
		return false
	}
	place := n.at
	for _, token := range strings.Split(keyword, "\x00") {
		place += "/" + escape(token)
	}
	keyword, _, _ = strings.Cut(keyword, "\x00")
	var pointer strings.Builder
	for _, token := range e.path {
		pointer.WriteString("/" + token)
	}
	for _, token := range at {
		pointer.WriteString("/" + escape(token))
	}
	e.violations = append(e.violations, Violation{Pointer: pointer.String(), Keyword: keyword, Schema: place, Message: message})
	return false
}

// within returns a keyword of which one entry is violated.
func within(keyword, entry string) string { return keyword + "\x00" + entry }

// below checks a part of the value.
func (e *evaluation) below(token string, n *node, v any) bool {
	e.path = append(e.path, token)
	ok, _ := e.check(n, v)
	e.path = e.path[:len(e.path)-1]
	return ok
}

// part checks a part of the value, which child may forbid: then keyword of n is violated.
func (e *evaluation) part(n, child *node, keyword, what, token string, v any) bool {
	if child.Never {
		return e.fail(n, keyword, "is not "+what+" that the schema allows", token)
	}
	return e.below(escape(token), child, v)
}

// also checks the value against another schema, and adds what that evaluates.
func (e *evaluation) also(n *node, v any, s *seen) bool {
	ok, inner := e.check(n, v)
	s.add(inner)
	return ok
}

// try checks without recording violations.
func (e *evaluation) try(n *node, v any) (bool, seen) {
	e.quiet++
	defer func() { e.quiet-- }()
	return e.check(n, v)
}

// tryBelow checks a part of the value, or the name of one, without recording
// violations.
func (e *evaluation) tryBelow(n *node, v any) bool {
	e.quiet++
	defer func() { e.quiet-- }()
	return e.below("", n, v)
}

// check reports whether v is valid, and what was evaluated of it.
func (e *evaluation) check(n *node, v any) (bool, seen) {
	var s seen
	if n.Never {
		e.violation(n)
		return false, s
	}
	ok := e.reference(n, v, &s)
	ok = e.value(n, v) && ok
	switch v := v.(type) {
	case string:
		ok = e.text(n, v) && ok
	case map[string]any:
		ok = e.object(n, v, &s) && ok
	case []any:
		ok = e.array(n, v, &s) && ok
	default:
		ok = e.number(n, v) && ok
	}
	ok = e.combined(n, v, &s) && ok
	switch v := v.(type) {
	case map[string]any:
		ok = e.restOfObject(n, v, &s) && ok
	case []any:
		ok = e.restOfArray(n, v, &s) && ok
	}
	if !ok {
		return false, seen{}
	}
	return true, s
}

// violation records that the schema false was reached: at the keyword that contains it.
func (e *evaluation) violation(n *node) {
	e.fail(n, "false", "must not be there")
	if e.quiet == 0 {
		e.violations[len(e.violations)-1].Schema = n.at
	}
}

func (e *evaluation) reference(n *node, v any, s *seen) bool {
	if n.ref == nil {
		return true
	}
	at := visit{n.ref, len(e.path)}
	if e.active[at] {
		e.cut++
		return true // the same question again adds nothing
	}
	if e.active == nil {
		e.active = map[visit]bool{}
	}
	q, again := ask(n.ref, v)
	if known, there := e.answers[q]; again && there && (known.ok || known.by == e || e.quiet > 0) {
		s.add(known.seen)
		return known.ok
	}
	e.active[at] = true
	cut := e.cut
	ok, inner := e.check(n.ref, v)
	delete(e.active, at)
	if again && e.cut == cut {
		e.answer(q, answer{ok: ok, seen: inner})
	}
	s.add(inner)
	return ok
}

// answer stores the answer to a question.
func (e *evaluation) answer(q question, a answer) {
	if e.quiet == 0 {
		a.by = e
	}
	if e.answers == nil {
		e.answers = map[question]answer{}
	}
	e.answers[q] = a
}

func (e *evaluation) combined(n *node, v any, s *seen) bool {
	ok := true
	for _, part := range n.allOf {
		ok = e.also(part, v, s) && ok
	}
	ok = e.alternatives(n, v, s) && ok
	if n.not != nil {
		if valid, _ := e.try(n.not, v); valid {
			ok = e.fail(n, "not", "must not meet the schema under not")
		}
	}
	if n.when != nil {
		met, inner := e.try(n.when, v)
		branch := n.otherwise
		if met {
			s.add(inner)
			branch = n.then
		}
		if branch != nil {
			ok = e.also(branch, v, s) && ok
		}
	}
	if object, is := v.(map[string]any); is {
		for _, d := range n.dependents {
			if _, there := object[d.name]; there {
				ok = e.also(d.node, v, s) && ok
			}
		}
	}
	return ok
}

func (e *evaluation) alternatives(n *node, v any, s *seen) bool {
	ok := true
	if n.anyOf != nil {
		met := false
		for _, branch := range n.anyOf {
			valid, inner := e.try(branch, v)
			met = valid || met
			s.add(inner)
			if met && !e.annotates {
				break
			}
		}
		if !met {
			ok = e.fail(n, "anyOf", "must meet one of the alternatives"+e.reasons(n.anyOf, v))
		}
	}
	if n.oneOf != nil {
		var met []string
		for i, branch := range n.oneOf {
			valid, inner := e.try(branch, v)
			s.add(inner)
			if valid {
				met = append(met, strconv.Itoa(i+1))
			}
		}
		switch {
		case len(met) == 0:
			ok = e.fail(n, "oneOf", "must meet one of the alternatives"+e.reasons(n.oneOf, v))
		case len(met) > 1:
			ok = e.fail(n, "oneOf", "must meet exactly one of the alternatives, meets numbers "+strings.Join(met, " and "))
		}
	}
	return ok
}

// maxReasons is how many alternatives a message explains. maxExplaining is how deeply
// alternatives within alternatives are explained.
const (
	maxReasons    = 4
	maxExplaining = 2
)

// reasons returns, for each alternative, a short reason why it does not match.
func (e *evaluation) reasons(branches []*node, v any) string {
	if e.quiet > 0 || e.explaining == maxExplaining {
		return ""
	}
	var reasons []string
	for _, branch := range branches[:min(len(branches), maxReasons)] {
		inner := evaluation{format: e.format, annotates: e.annotates, active: map[visit]bool{}, answers: e.answers, explaining: e.explaining + 1}
		for at := range e.active {
			if at.depth == len(e.path) {
				inner.active[visit{at.node, 0}] = true
			}
		}
		inner.check(branch, v)
		if len(inner.violations) > 0 {
			reasons = append(reasons, strings.TrimSpace(inner.violations[0].Pointer+" "+inner.violations[0].Message))
		}
	}
	if len(branches) > maxReasons {
		reasons = append(reasons, strconv.Itoa(len(branches)-maxReasons)+" more")
	}
	return ": " + strings.Join(reasons, ", or ")
}

func (e *evaluation) restOfObject(n *node, v map[string]any, s *seen) bool {
	if n.rest == nil {
		return true
	}
	ok := true
	for _, name := range names(v) {
		if s.everything || s.names[name] {
			continue
		}
		ok = e.part(n, n.rest, "unevaluatedProperties", "a member", name, v[name]) && ok
	}
	s.everything = true
	return ok
}

func (e *evaluation) restOfArray(n *node, v []any, s *seen) bool {
	if n.remaining == nil || s.everything {
		return true
	}
	ok := true
	for i := s.first; i < len(v); i++ {
		if !s.items[i] {
			ok = e.part(n, n.remaining, "unevaluatedItems", "an item", strconv.Itoa(i), v[i]) && ok
		}
	}
	s.everything = true
	return ok
}

func names(v map[string]any) []string { return slices.Sorted(maps.Keys(v)) }
