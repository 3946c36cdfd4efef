package site

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// changes says what changed between two versions of an event.
type changes struct {
	From         link // the page of the earlier version
	Old, New     string
	Topic        bool // the versions have different topics
	NewReadsOld  bool
	OldReadsNew  bool
	NothingFound bool
	Rows         []change
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
		NewReadsOld: true, OldReadsNew: true,
	}
	for _, f := range once(b.opts.Changes(old.event, now.event)) {
		row := change{Message: f.Message, ID: f.ID, Where: b.place(repositoryPath(now.project, f.Pos.File), f.Pos.Line), Class: "bad"}
		switch change := f.Change; {
		case change.Direction == "" && f.Severity == finding.Error:
			row.Effect = "consumers have to change"
		case change.Direction == "":
			row.Effect, row.Class = "tell consumers", "look"
		case change.Compatible && f.Severity == finding.Warning:
			row.Effect, row.Class = "not compared: look at it", "look"
		case change.Compatible:
			row.Effect, row.Class = "compatible", "good"
		case change.Direction == "backward":
			row.Effect = "code for version " + c.New + " cannot read version " + c.Old
			c.NewReadsOld = false
		default:
			row.Effect = "code for version " + c.Old + " cannot read version " + c.New
			c.OldReadsNew = false
		}
		c.Rows = append(c.Rows, row)
	}
	c.NothingFound = len(c.Rows) == 0
	return c
}

// once leaves out compatible changes that are also found in the other direction: there,
// they are incompatible, or they were found first.
func once(findings []finding.Finding) []finding.Finding {
	var all []finding.Finding
	for _, f := range findings {
		if !slices.ContainsFunc(findings, func(other finding.Finding) bool {
			return f.Change.Compatible && other.ID == f.ID && other.Pos == f.Pos && other.Change.Direction != f.Change.Direction &&
				(!other.Change.Compatible || f.Change.Direction == "forward")
		}) {
			all = append(all, f)
		}
	}
	return all
}
