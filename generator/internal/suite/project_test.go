package suite_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// mostGroups is the largest number of groups in a project, because a change in one
// group compiles the whole project again.
const mostGroups = 100

// project has the schemas of some groups of a draft as events. No two of them
// have the same identifier.
type project struct {
	name    string
	draft   string
	mode    string // the setting validation
	remotes map[string][]byte
	groups  []*group // those that generate and compile so far
	ids     map[string]bool
	formats bool // whether its groups test formats

	number   map[*group]int
	problems map[*group]problem
	dropped  []string          // remotes that cannot be read, and why
	files    map[string]string // the last generated code
	answers  map[*group][]verdict.Answer
}

// problem is the reason why a group has no Go code.
type problem struct {
	rule   string
	detail string
}

// projectsOf divides groups into as many projects as necessary, with strict validation.
func projectsOf(draft string, remotes []*remote, groups []*group) []*project {
	files := map[string][]byte{}
	for _, r := range remotes {
		mentioned := func(g *group) bool { return strings.Contains(string(g.schema), r.address()) }
		if r.draft == "" || r.draft == draft || slices.ContainsFunc(groups, mentioned) {
			maps.Copy(files, r.files(draft))
		}
	}
	var projects []*project
	for _, g := range groups {
		ids := identifiers(g.schema)
		at := slices.IndexFunc(projects, func(p *project) bool {
			return p.formats == g.formats() && len(p.groups) < mostGroups && !slices.ContainsFunc(ids, func(id string) bool { return p.ids[id] })
		})
		if at < 0 {
			at = len(projects)
			projects = append(projects, &project{
				name: fmt.Sprintf("%s %d", draft, at), draft: draft, mode: "strict", formats: g.formats(), remotes: maps.Clone(files), ids: map[string]bool{},
				number: map[*group]int{}, problems: map[*group]problem{}, answers: map[*group][]verdict.Answer{},
			})
		}
		p := projects[at]
		for _, id := range ids {
			p.ids[id] = true
		}
		p.number[g] = len(p.groups) + 1
		p.groups = append(p.groups, g)
	}
	return projects
}

// bySpec returns the same project with validation by the specification.
func (p *project) bySpec() *project {
	return &project{
		name: p.name + " spec", draft: p.draft, mode: "spec", remotes: maps.Clone(p.remotes), groups: slices.Clone(p.groups),
		number: p.number, problems: map[*group]problem{}, answers: map[*group][]verdict.Answer{},
	}
}

// identifiers returns the identifiers of a schema and its parts.
func identifiers(text []byte) []string {
	var ids []string
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range []string{"$id", "id"} {
				if id, ok := v[name].(string); ok && !strings.HasPrefix(id, "#") {
					ids = append(ids, strings.TrimSuffix(id, "#"))
				}
			}
			for _, member := range v {
				find(member)
			}
		case []any:
			for _, item := range v {
				find(item)
			}
		}
	}
	var v any
	if json.Unmarshal(text, &v) == nil {
		find(v)
	}
	return ids
}

func (p *project) goName(g *group) string { return fmt.Sprintf("G%03d", p.number[g]) }
func (p *project) goType(g *group) string { return p.goName(g) + "V1" }
func (p *project) goFile(g *group) string { return fmt.Sprintf("g%03d_v1.go", p.number[g]) }
func (p *project) schema(g *group) string { return fmt.Sprintf("groups/g%03d.json", p.number[g]) }

// head is the project file without its events, which follow one a line.
const head = `version: 1
service: suite
schemas: ["remotes/**/*.json"]
out: events
envelope: none
validation: %s
events:
`

// caseOf returns the project with some of its groups, and their documents.
func (p *project) caseOf(groups []*group) verdict.Case {
	config := fmt.Sprintf(head, p.mode)
	c := verdict.Case{Name: p.name, Files: map[string][]byte{}}
	for name, text := range p.remotes {
		c.Files["remotes/"+name] = text
	}
	for _, g := range groups {
		config += fmt.Sprintf("  - {schema: %s, name: %s, version: 1, type: suite.%s.v1, aggregate: {type: suite}}\n", p.schema(g), p.goName(g), strings.ToLower(p.goName(g)))
		c.Files[p.schema(g)] = g.schema
		for _, test := range g.tests {
			c.Documents = append(c.Documents, verdict.Document{Event: p.goType(g), JSON: test.Data})
		}
	}
	c.Files["outboxgen.yaml"] = []byte(config)
	return c
}

func (p *project) drop(g *group, why problem) {
	if _, known := p.problems[g]; !known {
		p.problems[g] = why
	}
	p.groups = slices.DeleteFunc(slices.Clone(p.groups), func(other *group) bool { return other == g })
}
