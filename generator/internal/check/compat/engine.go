package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Check holds the schema now against earlier versions, the latest of them
// last, and returns every change that a rule knows, by place in the new schema:
// an error if it is incompatible, a warning if no rule compares what changed,
// else a note. Of the earlier versions all count for a
// transitive level, for another only the last. Without earlier versions, and at
// level NONE, there are no changes.
//
// The schemas must come from loading without errors. Check only reads them, and
// may run many times at once.
func Check(now *schema.Schema, earlier []*schema.Schema, level Level, policy Policy) []finding.Finding {
	if !level.Transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	var all []finding.Finding
	for _, old := range earlier {
		for _, direction := range level.directions() {
			all = append(all, compare(old, now, direction, policy, mostWork)...)
		}
	}
	Sort(all)
	return slices.Compact(all)
}

// Sort puts changes in the order of their places in the new schema.
func Sort(changes []finding.Finding) {
	slices.SortStableFunc(changes, func(a, b finding.Finding) int {
		return cmp.Or(
			a.Pos.Compare(b.Pos), a.Old.Pos.Compare(b.Old.Pos),
			cmp.Compare(a.Change.Direction, b.Change.Direction), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message),
		)
	})
}

// Compatible reports whether all of the changes are compatible.
func Compatible(changes []finding.Finding) bool {
	return !slices.ContainsFunc(changes, func(c finding.Finding) bool { return !c.Change.Compatible })
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
	rule           finding.Rule
	writer, reader place
	args           []any
}

func compare(old, now *schema.Schema, direction Direction, policy Policy, most int) []finding.Finding {
	c := newComparison(direction, policy)
	return c.compare(old, now, most)
}

func newComparison(direction Direction, policy Policy) *comparison {
	return &comparison{
		direction: direction, policy: policy, shapes: map[*schema.Schema]*shape{},
		pairs: map[pairKey]*pair{}, patterns: map[string]*ecma.Matcher{}, prints: map[*schema.Schema]fingerprint{},
	}
}

func (c *comparison) compare(old, now *schema.Schema, most int) []finding.Finding {
	writer, reader := old, now
	if c.direction == OldReadsNew {
		writer, reader = now, old
	}
	root := c.pair(c.shape(writer), c.shape(reader))
	for p := c.next(); p != nil; p = c.next() {
		if c.work > most || len(c.pairs) > mostPairs {
			return []finding.Finding{c.change(difference{rule: rule("comparison-too-large"), writer: whole(writer), reader: whole(reader)})}
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
	p.differences = append(p.differences, difference{rule: rule(id), writer: writer, reader: reader, args: args})
}

// rule is the rule of that id, which there must be.
func rule(id string) finding.Rule {
	r, ok := finding.Lookup(id)
	if !ok {
		panic("compat: no rule " + id)
	}
	return r
}

func (c *comparison) allows(r finding.Rule) bool {
	return r.Allowed == finding.Always || r.Allowed == finding.Leniently && c.policy == Lenient
}

// report puts the differences of p and of its parts into words.
func (c *comparison) report(root *pair) []finding.Finding {
	var changes []finding.Finding
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

func (c *comparison) change(d difference) finding.Finding {
	words := strings.NewReplacer("READER", c.direction.reader(), "WRITER", c.direction.writer())
	now, old := d.reader, d.writer
	if c.direction == OldReadsNew {
		now, old = old, now
	}
	change := finding.Finding{
		Pos: now.pos, Severity: finding.Note, ID: d.rule.ID,
		Message: sentence(fmt.Sprintf(words.Replace(d.rule.Message), d.args...)),
		Pointer: now.pointer, HasPointer: true,
		Old:    finding.Place{Pos: old.pos, Pointer: old.pointer},
		Change: finding.Change{Direction: string(c.direction), Compatible: c.allows(d.rule)},
	}
	switch {
	case !change.Change.Compatible:
		change.Severity, change.Hint = finding.Error, d.rule.Fix
		change.Message = "breaks readers with " + c.direction.reader() + ": " + change.Message
	case d.rule.ID == finding.Uncompared:
		change.Severity = finding.Warning
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
