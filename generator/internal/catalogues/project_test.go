package catalogues_test

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// most is the largest number of events in a project. A catalogue with more events
// becomes several projects, each with all files.
const most = 400

// part is some events of a catalogue: a project.
type part struct {
	name   string
	of     *loaded
	events []event
}

func (p part) goName(i int) string { return fmt.Sprintf("E%04d", i) }

// caseOf returns the project, with this validation.
func (p part) caseOf(validation string, documents [][][]byte) verdict.Case {
	var config strings.Builder
	fmt.Fprintf(&config, "version: 1\nservice: catalogues\nschemas: []\nout: events\nenvelope: none\nvalidation: %s\n", validation)
	for _, line := range p.of.settings {
		config.WriteString(line + "\n")
	}
	config.WriteString("events:\n")
	c := verdict.Case{Name: p.name + " " + validation, Files: map[string][]byte{}}
	for i, e := range p.events {
		schema := e.file
		if e.pointer != "" {
			schema += "#" + e.pointer
		}
		name := p.goName(i)
		fmt.Fprintf(&config, "  - {schema: %q, name: %s, version: 1, type: catalogues.%s.v1, aggregate: {type: thing}}\n", schema, name, strings.ToLower(name))
		for _, d := range documents[i] {
			c.Documents = append(c.Documents, verdict.Document{Event: name + "V1", JSON: d})
		}
	}
	c.Files["outboxgen.yaml"] = []byte(config.String())
	for name, text := range p.of.texts {
		c.Files[name] = text
	}
	return c
}
