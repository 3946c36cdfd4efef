package lint

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// naming finds the properties whose names are written otherwise than the
// project's.
func (l *linter) naming() {
	const id = "property-name-style-differs"
	if l.off(id) {
		return
	}
	style, why := l.config.PropertyNames, "that lint.property_names sets"
	if style == "" {
		var names []string
		for i := range l.spots {
			if sp := &l.spots[i]; sp.property != nil && !sp.tests && !sp.foreign {
				names = append(names, sp.property.Name)
			}
		}
		if style = common(names, schema.NameStyles()); style == "" {
			return
		}
		why = "of most properties here"
	}
	for i := range l.spots {
		sp := &l.spots[i]
		if sp.property == nil || sp.tests || !plain(sp.property.Name) || fits(sp.property.Name, style) {
			continue
		}
		name := sp.property.Name
		l.found(id, sp.schema, sp.property.Pos,
			fmt.Sprintf("the property %s is not in %s, the style %s: consumers who type the name from memory get it wrong", finding.Quote(name), style, why),
			"rename it to "+finding.Quote(styled(name, style))+" before the event is released or in its next version")
	}
}

var (
	usualType     = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.v[0-9]+$`)
	endsInVersion = regexp.MustCompile(`\.v[0-9]+$`)
)

// eventType checks the type of an event.
func (l *linter) eventType(e *schema.Event) {
	pos, s := e.Pos, e.Schema
	switch {
	case s.Outbox != nil && s.Outbox.Type != nil:
		pos = s.Outbox.Type.Pos
	case !e.InConfig(l.project):
		pos = e.Place("type")
	default:
		s = nil // found in the config
		for _, c := range l.project.Config.Events {
			if c.Pos == e.Pos && c.Type != nil {
				pos = c.Type.Pos
			}
		}
	}
	if wanted := l.config.EventTypes; wanted != nil {
		if re, err := regexp.Compile(wanted.Text); err == nil && !re.MatchString(e.Type) {
			l.found("event-type-unusual", s, pos, fmt.Sprintf("the type %s does not match lint.event_types, %s", finding.Quote(e.Type), finding.Quote(wanted.Text)),
				"change the type before the event is released")
		}
		return
	}
	if usualType.MatchString(e.Type) {
		return
	}
	problem := "is not dot-separated words: tools cannot sort and filter by its parts"
	if !endsInVersion.MatchString(e.Type) {
		problem = "does not end in the event version: the next version cannot run beside this one"
	}
	l.found("event-type-unusual", s, pos, fmt.Sprintf("the type %s %s", finding.Quote(e.Type), problem),
		fmt.Sprintf("write a type such as shop.order_placed.v%d, or set lint.event_types in the project file", e.Version))
}

// id checks that an event has an $id that names its version.
func (l *linter) id(e *schema.Event) {
	s := e.Schema
	if s.Pointer != "" {
		return // a definition inside of a file
	}
	if s.ID == "" {
		l.found("schema-id-missing", s, s.Pos,
			"the event "+e.GoName+" has no $id: its envelopes have no data_schema_uri, and a consumer cannot look up the meaning of the data",
			fmt.Sprintf("add $id, a URI that ends in .v%d", e.Version))
		return
	}
	if !namesVersion(s.ID, e.Version) {
		pos := at(s, "$id")
		if s.At["$id"] == (finding.Pos{}) {
			pos = at(s, "id")
		}
		l.found("schema-id-unversioned", s, pos,
			fmt.Sprintf("$id %s does not contain event version %d: two versions would share an $id", finding.Quote(s.ID), e.Version),
			"write "+finding.Quote(versioned(s.ID, e.Version)))
	}
}

var versionInID = regexp.MustCompile(`(^|[^A-Za-z0-9])[vV]?([0-9]+)([^A-Za-z0-9]|$)`)

// namesVersion reports whether some part of a URI is the version.
func namesVersion(id string, version int) bool {
	for i := 0; i < len(id); {
		m := versionInID.FindStringSubmatchIndex(id[i:])
		if m == nil {
			return false
		}
		if id[i+m[4]:i+m[5]] == strconv.Itoa(version) {
			return true
		}
		i += m[5]
	}
	return false
}

// versioned returns a URI with the version at its end.
func versioned(id string, version int) string {
	ending := path.Ext(id)
	switch ending {
	case ".json", ".yaml", ".yml":
	default:
		ending = ""
	}
	base := strings.TrimSuffix(id, ending)
	if m := regexp.MustCompile(`[./-][vV][0-9]+$`).FindStringIndex(base); m != nil {
		return base[:m[0]+2] + strconv.Itoa(version) + ending
	}
	return fmt.Sprintf("%s.v%d%s", base, version, ending)
}
