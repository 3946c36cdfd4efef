package compat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// Check compares the schema now with earlier versions, the latest last, and returns
// every change that a rule covers, by place in the new schema: an error if it is
// incompatible, a warning if no rule compares what changed, else a note. A transitive
// level uses all earlier versions, other levels only the last. Without earlier
// versions, and at level NONE, there are no changes.
//
// The schemas must be loaded without errors. Check only reads them, so several calls
// may run at once.
func Check(now *schema.Schema, earlier []*schema.Schema, level Level, policy Policy) []finding.Finding {
	if !level.Transitive() && len(earlier) > 1 {
		earlier = earlier[len(earlier)-1:]
	}
	var all []finding.Finding
	for _, old := range earlier {
		for _, direction := range level.directions() {
			c := newComparison(direction, policy)
			c.both = len(level.directions()) > 1
			all = append(all, c.compare(old, now, mostWork)...)
		}
	}
	Sort(all)
	return slices.CompactFunc(all, func(a, b finding.Finding) bool {
		if a.Change.Compatible { // said once, whoever reads it
			b.Change = a.Change
		}
		return a == b
	})
}

// Sort sorts changes by their places in the new schema.
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

// Limits of a comparison: schemas that need more checks of one pair, or more pairs, are
// not compared.
const (
	mostWork  = 20_000_000
	mostPairs = 500_000
)

// comparison compares the writer's schema with a reader's.
//
// Each pair of schemas at the same place is checked once. A pair counts as compatible
// until it is found incompatible, so recursion ends: a pair inside itself is assumed to
// be compatible. When a pair turns out incompatible, the pairs whose result depends on
// it are checked again. A pair changes at most once, so this ends with the one result
// that assumes as much as is consistent.
type comparison struct {
	direction Direction
	policy    Policy
	both      bool // the other direction is checked too
	shapes    map[shapeKey]*shape
	pairs     map[pairKey]*pair
	fresh     []*pair // not checked yet, the latest first
	fallen    []*pair // to check again, the earliest first
	patterns  map[string]*ecma.Matcher
	prints    map[*schema.Schema]fingerprint
	besides   map[*schema.Schema]*beside
	values    *validator.Validator
	work      int
}

type shapeKey struct{ s, of, around *schema.Schema }

type pairKey struct{ writer, reader *shape }

// pair is the writer's schema and the reader's schema at the same place.
type pair struct {
	writer, reader *shape
	compatible     bool
	differences    []difference
	parts          []*pair // pairs whose differences belong to this one
	leaning        []*pair // pairs whose result assumes that this pair is compatible
	waiting        bool    // in one of the queues
	partner        []int   // of two combinations: the reader's branch of each of the writer's; -1: none
}

// difference is a change before its message is made.
type difference struct {
	rule           finding.Rule // says whether it is compatible
	edit           string       // the rule for what the author did; "": follows from rule
	stricter       bool         // a schema registry does not allow it under any policy
	advice         *advice      // for its author, although it is compatible
	limited        bool         // unevaluatedProperties of a schema around an open object restricts the property
	writer, reader place
	args           []any
}

// advice is what the author of a compatible change should know.
type advice struct {
	severity finding.Severity
	more     string // behind the message
	hint     string
}

func compare(old, now *schema.Schema, direction Direction, policy Policy, most int) []finding.Finding {
	c := newComparison(direction, policy)
	return c.compare(old, now, most)
}

func newComparison(direction Direction, policy Policy) *comparison {
	return &comparison{
		direction: direction, policy: policy, shapes: map[shapeKey]*shape{},
		pairs: map[pairKey]*pair{}, patterns: map[string]*ecma.Matcher{}, prints: map[*schema.Schema]fingerprint{},
		besides: map[*schema.Schema]*beside{},
	}
}

func (c *comparison) compare(old, now *schema.Schema, most int) []finding.Finding {
	writer, reader := old, now
	if c.direction == OldReadsNew {
		writer, reader = now, old
	}
	root := c.pair(c.shape(writer), c.shape(reader))
	if c.judgeAll(most) && c.generated() {
		c.overlaps(root, most)
	}
	if c.tooLarge(most) {
		return []finding.Finding{c.change(difference{rule: rule("comparison-too-large"), writer: whole(writer), reader: whole(reader)})}
	}
	return c.report(root)
}

// judgeAll judges the pairs in the queues. It returns false if they are too many.
func (c *comparison) judgeAll(most int) bool {
	for p := c.next(); p != nil; p = c.next() {
		if c.tooLarge(most) {
			c.fresh = append(c.fresh, p)
			return false
		}
		c.judge(p)
	}
	return true
}

func (c *comparison) tooLarge(most int) bool { return c.work > most || len(c.pairs) > mostPairs }

// next takes the next pair from the queues. New pairs come first, so that all pairs
// exist before any is checked again.
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

// pair returns the pair of two shapes, always the same one.
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

// judge computes the differences of p, and marks it as incompatible if one is
// incompatible.
func (c *comparison) judge(p *pair) {
	p.differences, p.parts, p.partner = p.differences[:0], p.parts[:0], nil
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

// holds reports whether q is compatible as far as is known. If that changes, p is
// checked again.
func (c *comparison) holds(p, q *pair) bool {
	c.work++
	if q.compatible && (len(q.leaning) == 0 || q.leaning[len(q.leaning)-1] != p) {
		q.leaning = append(q.leaning, p)
	}
	return q.compatible
}

// readable reports whether a reader with one shape can read data of the other. If that
// is obvious, it makes no pair.
func (c *comparison) readable(p *pair, writer, reader *shape) (*pair, bool) {
	c.work++
	if c.hopeless(writer, reader) {
		return nil, false
	}
	q := c.pair(writer, reader)
	return q, c.holds(p, q)
}

// hopeless reports whether it is obvious that a reader with one shape cannot read data of
// the other.
func (c *comparison) hopeless(writer, reader *shape) bool {
	if writer.kind != reader.kind && writer.kind != combined && reader.kind != combined &&
		writer.kind != nothing && reader.kind != anything && (!c.generated() || listing(writer) == nil || listing(reader) == nil) {
		return true
	}
	return writer.kind == objectKind && reader.kind == objectKind && c.discriminated(writer, reader)
}

// include adds the differences of q to p's.
func (p *pair) include(q *pair) { p.parts = append(p.parts, q) }

// sub compares two schemas as part of p.
func (c *comparison) sub(p *pair, writer, reader *schema.Schema) *pair {
	q := c.pair(c.shape(writer), c.shape(reader))
	p.include(q)
	return q
}

// covered compares two schemas as part of p, and returns the first word of the rule: the
// reader's schema covers what the writer's allows, or leaves some of it uncovered.
func (c *comparison) covered(p *pair, writer, reader *schema.Schema) string {
	if c.holds(p, c.sub(p, writer, reader)) {
		return "covered"
	}
	return "uncovered"
}

// add records a difference of p.
func (p *pair) add(id string, writer, reader place, args ...any) {
	p.differences = append(p.differences, difference{rule: rule(id), writer: writer, reader: reader, args: args})
}

// rule returns the rule with that id, which must exist.
func rule(id string) finding.Rule {
	r, ok := finding.Lookup(id)
	if !ok {
		panic("compat: no rule " + id)
	}
	return r
}

func (c *comparison) allows(r finding.Rule) bool {
	switch c.policy {
	case Generated, GeneratedSpec:
		return r.Generated
	case Lenient:
		return r.Allowed != finding.Never
	case Strict:
	}
	return r.Allowed == finding.Always
}

// report returns the differences of p and of its parts as findings.
func (c *comparison) report(root *pair) []finding.Finding {
	var changes []finding.Finding
	for _, p := range reachable(root) {
		for _, d := range p.differences {
			changes = append(changes, c.change(d))
		}
	}
	return changes
}

// edit is what the author of the schema did, in the words of a rule.
type edit struct {
	id, message, fix string
	old, now         place
	args             []any
}

// editOf returns the edit that a difference comes from. The id, the message and the fix
// are those of the edit, whoever reads whose data.
func (c *comparison) editOf(d difference) edit {
	e := edit{d.rule.ID, d.rule.Message, d.rule.Fix, d.writer, d.reader, d.args}
	if c.both {
		e.fix = finding.FixForBoth(d.rule)
	}
	if c.direction == OldReadsNew {
		forward := finding.ForwardOf(d.rule)
		e = edit{forward.Edit, forward.Message, forward.Fix, d.reader, d.writer, slices.Clone(d.args)}
		slices.Reverse(e.args)
	}
	if d.edit != "" {
		r := rule(d.edit)
		e.id, e.message, e.fix = r.ID, r.Message, r.Fix
	}
	if words, ok := limitedWords[e.id]; ok && d.limited {
		e.message = words
	}
	return e
}

// limitedWords are the messages for properties of an object that is open itself.
var limitedWords = map[string]string{
	"property-added-to-open-model":     "READER declares the property %s; under that name, WRITER allows only what its unevaluatedProperties allows",
	"property-removed-from-open-model": "READER does not declare the property %s of WRITER; under that name, it allows only what its unevaluatedProperties allows",
}

func (c *comparison) change(d difference) finding.Finding {
	words := strings.NewReplacer("READER", "the new schema", "WRITER", "the old schema")
	e := c.editOf(d)
	change := finding.Finding{
		Pos: e.now.pos, Severity: finding.Note, ID: e.id,
		Message: sentence(fmt.Sprintf(words.Replace(e.message), e.args...)),
		Pointer: e.now.pointer, HasPointer: true,
		Old:    finding.Place{Pos: e.old.pos, Pointer: e.old.pointer},
		Change: finding.Change{Direction: string(c.direction), Compatible: c.allows(d.rule)},
	}
	switch {
	case !change.Change.Compatible:
		change.Severity, change.Hint = finding.Error, advise(e.fix, e.id, e.old, e.now)
		change.Message = "breaks readers with " + c.direction.reader() + ": " + change.Message
		if d.rule.Allowed == finding.Always {
			change.Message += "; a schema registry accepts it, but generated readers do not fill in defaults"
		}
	case e.id == finding.Renamed:
		change.Severity, change.Hint = finding.Warning, e.fix
	case e.id == finding.Uncompared:
		change.Severity = finding.Warning
	case d.advice != nil:
		change.Change.Advises = true
		change.Severity, change.Hint = d.advice.severity, d.advice.hint
		change.Message += "; " + d.advice.more
	case d.stricter:
		change.Change.RegistryRefuses = true
		change.Message += "; readers expect it, because of grows: true, but a schema registry rejects it at this level"
		change.Hint = `without a registry, there is nothing to do; in a registry, set this for the subject: {"compatibility": "BACKWARD"}`
	case d.rule.Allowed == finding.Leniently:
		change.Change.RegistryRefuses = true
		change.Message += "; this is compatible, but a schema registry rejects it unless its policy is lenient"
		change.Hint = `without a registry, there is nothing to do; in a registry, set this for the subject: {"compatibilityPolicy": "LENIENT"}`
	}
	return change
}

// sentence returns text as one line for a message.
func sentence(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }
