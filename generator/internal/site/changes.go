package site

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// changes says what changed between two versions of an event.
type changes struct {
	From     link // the page of the earlier version
	Old, New string
	Verdicts []verdict
	Topic    bool   // the versions have different topics
	NewType  string // the type of the later version
	Rows     []change
	// Nothing says that there are no rows.
	Nothing string
}

// The directions of findings.
const (
	newReadsOld = "backward"
	oldReadsNew = "forward"
)

// verdict says whether code for one version can read data of the other.
type verdict struct {
	Class                 string // good, bad or look
	Before, Answer, After string
}

// change is one finding about two versions.
type change struct {
	Message, ID string
	Where       place // in the new version
	Effect      string
	Class       string // good, bad or look
}

// predecessor returns the version of an event before a description of it: the next
// lower one, if there is one of the same service, else of any.
func (b *builder) predecessor(e *event, d *defined) *defined {
	var another *defined
	for _, v := range e.Versions {
		other := b.events[v.Text]
		if other.number >= e.number {
			continue
		}
		for _, old := range other.Definitions {
			if slices.ContainsFunc(old.names(), func(name string) bool { return slices.Contains(d.names(), name) }) {
				return old
			}
			if another == nil {
				another = old
			}
		}
	}
	return another
}

// changes returns what changed from an earlier version to a description.
func (b *builder) changes(old, now *defined) *changes {
	if b.opts.Changes == nil {
		return nil
	}
	before, after := b.events[old.event.Type], b.events[now.event.Type]
	c := &changes{
		From: link{before.Type, before.Path}, Old: before.Version, New: after.Version, Topic: old.event.Topic != now.event.Topic,
		NewType: now.event.Type,
	}
	found := b.opts.Changes(old.event, now.event)
	c.Verdicts = []verdict{verdictOf(found, newReadsOld, c.New, c.Old), verdictOf(found, oldReadsNew, c.Old, c.New)}
	for _, f := range once(found) {
		row := change{Message: f.Message, ID: f.ID, Where: b.place(now.project, repositoryPath(now.project, f.Pos.File), f.Pos.Line), Class: "bad"}
		switch change := f.Change; {
		case change.Direction == "" && f.Severity == finding.Error:
			row.Effect = "consumers have to change"
		case change.Direction == "":
			row.Effect, row.Class = "tell consumers", "look"
		case uncompared(f):
			row.Effect, row.Class = "not compared: look at it", "look"
		case change.Compatible && f.Severity == finding.Warning:
			row.Effect, row.Class = "compatible, but look at it", "look"
		case change.Compatible:
			row.Effect, row.Class = "compatible", "good"
		case change.Direction == newReadsOld:
			row.Effect = "code for version " + c.New + " cannot read version " + c.Old
		default:
			row.Effect = "code for version " + c.Old + " cannot read version " + c.New
		}
		c.Rows = append(c.Rows, row)
	}
	switch {
	case len(c.Rows) > 0:
	case c.Topic:
		c.Nothing = "The rules find no other change than the type, the version and the topic."
	default:
		c.Nothing = "The rules find no other change than the type and the version."
	}
	return c
}

// verdictOf returns the verdict about one direction: code for version reader and data
// of version writer.
func verdictOf(all []finding.Finding, direction, reader, writer string) verdict {
	v := verdict{Class: "good", Before: "Code for version " + reader + " ", Answer: "can", After: " read the data of version " + writer + "."}
	for _, f := range all {
		switch {
		case f.ID == "envelope-changed":
			return verdict{Class: "bad", Before: "Code for version " + reader + " ", Answer: "cannot", After: " read the records of version " + writer + ": they have another envelope."}
		case f.Change.Direction != direction:
		case uncompared(f):
			v = verdict{
				Class: "look", Before: "It is ", Answer: "not known",
				After: " whether code for version " + reader + " can read the data of version " + writer + ": not every change below can be compared.",
			}
		case !f.Change.Compatible:
			return verdict{Class: "bad", Before: "Code for version " + reader + " ", Answer: "cannot", After: " read the data of version " + writer + "."}
		}
	}
	return v
}

// uncompared reports whether a finding is about a change that the rules do not compare.
func uncompared(f finding.Finding) bool { return f.ID == finding.Uncompared }

// once leaves out compatible changes that are also found in the other direction: there,
// they are incompatible, or they were found first. A change has one place in each of the
// versions.
func once(findings []finding.Finding) []finding.Finding {
	var all []finding.Finding
	for _, f := range findings {
		if !slices.ContainsFunc(findings, func(other finding.Finding) bool {
			return f.Change.Compatible && other.ID == f.ID && other.Pos == f.Pos && other.Old == f.Old && other.Change.Direction != f.Change.Direction &&
				(!other.Change.Compatible || f.Change.Direction == oldReadsNew)
		}) {
			all = append(all, f)
		}
	}
	return all
}
