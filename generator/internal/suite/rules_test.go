package suite_test

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/rules"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/runtime/rule"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// otherRules are the files of the suite for which rules give other verdicts, with the
// reasons. All of them are optional.
var otherRules = map[string]string{
	"draft2020-12/optional/dependencies-compatibility": "dependencies is no keyword of 2020-12",
	"draft2020-12/optional/format-assertion":           "validation: strict asserts formats, whatever the vocabularies of a dialect say",
	"draft4/optional/zeroTerminatedFloats":             "1.0 is an integer in every draft, as in the later ones",
	"draft7/optional/content":                          "contentEncoding and contentMediaType are annotations",
}

// Every schema of the suite, as rules alone, accepts exactly the valid documents. Such
// rules check what Go types cannot express. Nothing is compiled here, so this is also
// the fast way to test a draft.
func TestSuiteAsRules(t *testing.T) {
	dir := suiteDir(t)
	remotes := readRemotes(t, dir)
	differs := map[string]bool{}
	for _, draft := range slices.Sorted(maps.Keys(drafts)) {
		groups := slices.DeleteFunc(readGroups(t, dir, draft), func(g *group) bool {
			return !strings.HasPrefix(draft+"/"+g.file, *only)
		})
		for _, p := range projectsOf(draft, remotes, groups) {
			checkAsRules(t, p, differs)
		}
	}
	for file := range otherRules {
		if !differs[file] && strings.HasPrefix(file, *only) {
			t.Errorf("%s: nothing differs any more: take it off the list", file)
		}
	}
}

func checkAsRules(t *testing.T, p *project, differs map[string]bool) {
	t.Helper()
	c := p.caseOf(p.groups)
	files := fstest.MapFS{}
	for name, text := range c.Files {
		files[name] = &fstest.MapFile{Data: text}
	}
	read, list, err := schema.LoadFS(files, "outboxgen.yaml")
	if err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			t.Errorf("%s: %s", p.name, f)
		}
	}
	graph := normal.New(normal.Options{Specification: !p.formats})
	for _, e := range read.Events {
		i := slices.IndexFunc(p.groups, func(g *group) bool { return p.goType(g) == e.GoName })
		if i < 0 || e.Schema == nil {
			continue
		}
		g := p.groups[i]
		set := ruleSet(rules.Of(graph, &finding.List{}, graph.Node(e.Schema).Whole()))
		for _, test := range g.tests {
			var c wire.Checker
			wire.Rules(&c, test.Data, (*wire.Encoder).Raw, set)
			if broken := c.Err(g.title); (broken == nil) != test.Valid {
				if file := g.draft + "/" + g.file; otherRules[file] != "" {
					differs[file] = true
					continue
				}
				t.Errorf("%s/%s: %s / %s: valid is %v, and what is broken %v\n\t%s", g.draft, g.file, g.title, test.Description, test.Valid, broken, g.schema)
			}
		}
	}
}

// ruleSet returns rules in the form of the printed code.
func ruleSet(r *ir.Rules) *rule.Set {
	set := &rule.Set{Defs: map[string]*rule.Schema{}}
	if r == nil {
		return set
	}
	for _, one := range r.Rules {
		set.Rules = append(set.Rules, ruleOf(one))
	}
	for _, def := range r.Defs {
		set.Defs[cmp.Or(def.Key, def.Place)] = ruleOf(def)
	}
	return set
}

func ruleOf(r *ir.Rule) *rule.Schema {
	s := &rule.Schema{At: r.Place}
	for _, word := range r.Words {
		field := reflect.ValueOf(s).Elem().FieldByName(goname.Exported(word.Keyword))
		switch v := word.Value.(type) {
		case *ir.Rule:
			field.Set(reflect.ValueOf(ruleOf(v)))
		case []*ir.Rule:
			all := make([]*rule.Schema, len(v))
			for i, part := range v {
				all[i] = ruleOf(part)
			}
			field.Set(reflect.ValueOf(all))
		case []string:
			field.Set(reflect.ValueOf(v))
		case []ir.Entry:
			field.Set(reflect.MakeMap(field.Type()))
			for _, entry := range v {
				value := reflect.ValueOf(entry.Value)
				if part, is := entry.Value.(*ir.Rule); is {
					value = reflect.ValueOf(ruleOf(part))
				}
				field.SetMapIndex(reflect.ValueOf(entry.Name), value)
			}
		case ir.Literal:
			setLiteral(field, v)
		}
	}
	return s
}

func setLiteral(field reflect.Value, l ir.Literal) {
	switch l.Kind {
	case ir.CountLiteral, ir.LimitLiteral:
		n, err := strconv.Atoi(l.Text[0])
		if err != nil {
			panic(err)
		}
		if l.Kind == ir.LimitLiteral {
			field.Set(reflect.ValueOf(&n))
		} else {
			field.SetInt(int64(n))
		}
	case ir.TrueLiteral:
		field.SetBool(true)
	case ir.TextLiteral, ir.JSONLiteral:
		field.SetString(l.Text[0])
	case ir.JSONListLiteral:
		all := make([]rule.JSON, len(l.Text))
		for i, text := range l.Text {
			all[i] = rule.JSON(text)
		}
		field.Set(reflect.ValueOf(all))
	}
}
