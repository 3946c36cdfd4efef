package contract

import (
	"cmp"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Before is an earlier version of an event.
type Before struct {
	// Schema is the schema of the event data.
	Schema *schema.Schema
	// Event is the rest of the event; nil if only the schema is known, as from a
	// registry.
	Event *schema.Event
	// Name returns a file's name in reports. nil: its path.
	Name func(file string) string
}

func (b Before) pos(pos finding.Pos) finding.Pos {
	if b.Name != nil && pos.File != "" {
		pos.File = b.Name(pos.File)
	}
	return pos
}

// Match returns the earlier version of each event that has one. gone are the earlier
// events that no longer exist, in their order.
func Match(now []*schema.Event, before []Before) (was map[*schema.Event]Before, gone []Before) {
	was = map[*schema.Event]Before{}
	taken := make([]bool, len(before))
	for _, same := range []func(a, b *schema.Event) bool{
		func(a, b *schema.Event) bool { return a.Type == b.Type },
		func(a, b *schema.Event) bool { return a.GoName == b.GoName && a.Version == b.Version },
		func(a, b *schema.Event) bool {
			return a.Version == b.Version && a.Schema.Doc.Path == b.Schema.Doc.Path && a.Schema.Pointer == b.Schema.Pointer
		},
	} {
		for _, e := range now {
			if _, ok := was[e]; ok {
				continue
			}
			for i, b := range before {
				if !taken[i] && same(e, b.Event) {
					was[e], taken[i] = b, true
					break
				}
			}
		}
	}
	for i, b := range before {
		if !taken[i] {
			gone = append(gone, b)
		}
	}
	return was, gone
}

// Predecessors lists the lower versions of an event, the lowest first: events whose
// types differ from e's only in the version at the end.
func Predecessors(e *schema.Event, all []Before) []Before {
	stem := schema.Family(e.Type, e.Version)
	var lower []Before
	for _, b := range all {
		if b.Event.Version < e.Version && schema.Family(b.Event.Type, b.Event.Version) == stem {
			lower = append(lower, b)
		}
	}
	slices.SortStableFunc(lower, func(a, b Before) int { return cmp.Compare(a.Event.Version, b.Event.Version) })
	return lower
}
