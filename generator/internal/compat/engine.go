package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Change is one difference between two schemas that a rule knows.
type Change struct {
	// ID names the rule, SUBJECT_PREDICATE; Explain tells more about it.
	ID string
	// Direction says who reads whose data. The words of the ID are those of a
	// change from the schema of the data to the schema of its reader: under
	// OldReadsNew, from new to old.
	Direction Direction
	// Compatible reports whether the policy allows the change.
	Compatible bool
	// Unseen marks a change of a keyword that no rule compares: it counts as
	// compatible, but may still break a reader.
	Unseen bool
	// Pos and Pointer are the place in the new schema: of the keyword or name that
	// changed, or of what held it when it is gone.
	Pos     diag.Pos
	Pointer string
	// OldPos and OldPointer are the same in the old schema.
	OldPos     diag.Pos
	OldPointer string
	// Message says what is different and, of an incompatible change, who breaks;
	// in one line.
	Message string
	// Hint says what to do instead; empty where the change is compatible.
	Hint string
}

// Finding is c as a diagnostic at its place in the new schema: an error where
// it is incompatible, a warning where no rule looks, else a note.
func (c Change) Finding() diag.Finding {
	f := diag.Finding{Pos: c.Pos, ID: c.ID, Message: c.Message, Hint: c.Hint}
	switch {
	case c.Unseen:
		f.Severity = diag.Warning
	case c.Compatible:
		f.Severity = diag.Note
	}
	return f
}

// Check holds the schema now against earlier versions, the latest of them
// last, and returns every change that a rule knows, compatible ones included,
// by place in the new schema. Of the earlier versions all count for a
// transitive level, for another only the last. Without earlier versions, and at
// level NONE, there are no changes.
//
// The schemas must come from loading without errors. Check only reads them, and
// may run many times at once.
func Check(now *schema.Schema, earlier []*schema.Schema, level Level, policy Policy) []Change {
	if !level.Transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	var all []Change
	for _, old := range earlier {
		for _, direction := range level.directions() {
			all = append(all, compare(old, now, direction, policy, mostWork)...)
		}
	}
	Sort(all)
	return slices.Compact(all)
}

// Sort puts changes in the order of their places in the new schema.
func Sort(changes []Change) {
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(
			comparePos(a.Pos, b.Pos), comparePos(a.OldPos, b.OldPos),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message),
		)
	})
}

func comparePos(a, b diag.Pos) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// Compatible reports whether all of the changes are compatible.
func Compatible(changes []Change) bool {
	return !slices.ContainsFunc(changes, func(c Change) bool { return !c.Compatible })
}

// A comparison is bounded: schemas that ask for more than this many looks at a
// pair of schemas, or for more pairs, are not judged.
const (
	mostWork  = 20_000_000
	mostPairs = 500_000
)

// comparison judges one schema of data, the writer's, against one of a reader.
//
// Each pair of schemas that meet is judged once. Every pair counts as
// compatible until it is found not to be, which is what makes recursion end: a
// pair that comes up inside itself is assumed to hold. When a pair falls, all
// those whose verdict leaned on it are judged again. A pair falls once and never
// rises, and the rules only ever get more out of a compatible part, so that
// this comes to rest at the one answer that assumes as much as is consistent.
type comparison struct {
	direction Direction
	policy    Policy
	shapes    map[*schema.Schema]*shape
	pairs     map[pairKey]*pair
	fresh     []*pair // not judged yet, the latest first
	fallen    []*pair // to judge again, the earliest first
	patterns  map[string]*ecma.Matcher
	prints    map[*schema.Schema]fingerprint
	work      int
}

type pairKey struct{ writer, reader *shape }

// pair is a schema of data and a schema of its reader at the same place.
type pair struct {
	writer, reader *shape
	compatible     bool
	differences    []difference
	parts          []*pair // whose differences are part of this one's
	leaning        []*pair // whose verdict assumes that this pair is compatible
	waiting        bool    // in one of the queues
}

// difference is a change before it is put into words.
type difference struct {
	rule           *rule
	writer, reader place
	args           []any
}

func compare(old, now *schema.Schema, direction Direction, policy Policy, most int) []Change {
	c := newComparison(direction, policy)
	return c.compare(old, now, most)
}

func newComparison(direction Direction, policy Policy) *comparison {
	return &comparison{
		direction: direction, policy: policy, shapes: map[*schema.Schema]*shape{},
		pairs: map[pairKey]*pair{}, patterns: map[string]*ecma.Matcher{}, prints: map[*schema.Schema]fingerprint{},
	}
}

func (c *comparison) compare(old, now *schema.Schema, most int) []Change {
	writer, reader := old, now
	if c.direction == OldReadsNew {
		writer, reader = now, old
	}
	root := c.pair(c.shape(writer), c.shape(reader))
	for p := c.next(); p != nil; p = c.next() {
		if c.work > most || len(c.pairs) > mostPairs {
			return []Change{c.change(difference{rule: rules["COMPARISON_TOO_LARGE"], writer: whole(writer), reader: whole(reader)})}
		}
		c.judge(p)
	}
	return c.report(root)
}

// next takes what is to be judged from the queues. The whole graph is laid out
// before anything is judged again, so that what falls together is seen
// together.
func (c *comparison) next() *pair {
	var p *pair
	switch {
	case len(c.fresh) > 0:
		p = c.fresh[len(c.fresh)-1]
		c.fresh = c.fresh[:len(c.fresh)-1]
	case len(c.fallen) > 0:
		p = c.fallen[0]
		c.fallen = c.fallen[1:]
	default:
		return nil
	}
	p.waiting = false
	return p
}

// pair is the pair of two shapes, the same one each time.
func (c *comparison) pair(writer, reader *shape) *pair {
	c.work++
	key := pairKey{writer, reader}
	p := c.pairs[key]
	if p == nil {
		p = &pair{writer: writer, reader: reader, compatible: true, waiting: true}
		c.pairs[key] = p
		c.fresh = append(c.fresh, p)
	}
	return p
}

// judge finds the differences of p from scratch, and lets it fall if one is
// incompatible.
func (c *comparison) judge(p *pair) {
	p.differences, p.parts = p.differences[:0], p.parts[:0]
	c.types(p)
	holds := !slices.ContainsFunc(p.differences, func(d difference) bool { return !c.allows(d.rule) })
	for _, part := range p.parts {
		if !c.holds(p, part) {
			holds = false
		}
	}
	if holds || !p.compatible {
		return
	}
	p.compatible = false
	for _, q := range p.leaning {
		if !q.waiting {
			q.waiting = true
			c.fallen = append(c.fallen, q)
		}
	}
	p.leaning = nil
}

// holds reports whether q is compatible as far as is known. p is judged again
// when that changes.
func (c *comparison) holds(p, q *pair) bool {
	c.work++
	if q.compatible && (len(q.leaning) == 0 || q.leaning[len(q.leaning)-1] != p) {
		q.leaning = append(q.leaning, p)
	}
	return q.compatible
}

// readable reports whether a reader with the one shape can read data of the
// other. Where that is plain, no pair is made of them.
func (c *comparison) readable(p *pair, writer, reader *shape) (*pair, bool) {
	c.work++
	if writer.kind != reader.kind && writer.kind != combined && reader.kind != combined &&
		writer.kind != nothing && reader.kind != anything {
		return nil, false
	}
	if writer.kind == objectKind && reader.kind == objectKind && c.discriminated(writer, reader) {
		return nil, false
	}
	q := c.pair(writer, reader)
	return q, c.holds(p, q)
}

// include makes the differences of q part of p's.
func (p *pair) include(q *pair) { p.parts = append(p.parts, q) }

// sub judges two schemas as part of p.
func (c *comparison) sub(p *pair, writer, reader *schema.Schema) {
	p.include(c.pair(c.shape(writer), c.shape(reader)))
}

// add notes a difference of p.
func (p *pair) add(id string, writer, reader place, args ...any) {
	r := rules[id]
	if r == nil {
		panic("compat: no rule " + id)
	}
	p.differences = append(p.differences, difference{rule: r, writer: writer, reader: reader, args: args})
}

func (c *comparison) allows(r *rule) bool {
	return r.allowed == always || r.allowed == leniently && c.policy == Lenient
}

// report puts the differences of p and of its parts into words.
func (c *comparison) report(root *pair) []Change {
	var changes []Change
	seen := map[*pair]bool{root: true}
	for todo := []*pair{root}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, d := range p.differences {
			changes = append(changes, c.change(d))
		}
		for _, part := range p.parts {
			if !seen[part] {
				seen[part] = true
				todo = append(todo, part)
			}
		}
	}
	return changes
}

func (c *comparison) change(d difference) Change {
	words := strings.NewReplacer("READER", c.direction.reader(), "WRITER", c.direction.writer())
	change := Change{
		ID: d.rule.id, Direction: c.direction, Compatible: c.allows(d.rule), Unseen: d.rule.id == unseen,
		Pos: d.reader.pos, Pointer: d.reader.pointer, OldPos: d.writer.pos, OldPointer: d.writer.pointer,
		Message: sentence(fmt.Sprintf(words.Replace(d.rule.message), d.args...)),
	}
	if c.direction == OldReadsNew {
		change.Pos, change.OldPos = change.OldPos, change.Pos
		change.Pointer, change.OldPointer = change.OldPointer, change.Pointer
	}
	if !change.Compatible {
		change.Message = "breaks readers with " + c.direction.reader() + ": " + change.Message
		change.Hint = d.rule.instead
	}
	return change
}

// sentence is text with the space that a message has: one line.
func sentence(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' {
			return ' '
		}
		return r
	}, text)
}
