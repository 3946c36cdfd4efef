package naming

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// shareRules gives equal rules of a file one variable, and shares the definitions that
// several of them use: each rule has every definition that it reaches, so a chain of
// definitions would be printed once for each link.
func shareRules(names names, f *ir.File) {
	variables := map[string]string{}
	for _, r := range f.Rules() {
		key := ruleText(r.Rules) + ruleText(r.Defs)
		if first, there := variables[key]; there {
			r.Var = first
		} else {
			variables[key] = r.Var
		}
	}
	var groups []*group
	for _, r := range f.Rules() {
		if len(r.Defs) > 0 {
			groups = join(groups, r)
		}
	}
	for _, g := range groups {
		if len(g.rules) < 2 {
			continue
		}
		name := names.unused(strings.TrimSuffix(g.rules[0].Var, "Rules") + "Definitions")
		slices.SortFunc(g.defs, func(x, y *ir.Rule) int { return cmp.Compare(x.DefKey(), y.DefKey()) })
		f.Defs = append(f.Defs, &ir.Definitions{Var: name, Defs: g.defs})
		for _, r := range g.rules {
			r.DefsVar = name
		}
	}
}

// group is rules with consistent definitions.
type group struct {
	rules []*ir.Rules
	defs  []*ir.Rule
	texts map[string]string // of defs, by key
}

// join puts rules into the first group without a different definition under one of
// their keys.
func join(groups []*group, r *ir.Rules) []*group {
	texts := map[string]string{}
	for _, def := range r.Defs {
		texts[def.DefKey()] = ruleText(def)
	}
	at := slices.IndexFunc(groups, func(g *group) bool {
		return !slices.ContainsFunc(r.Defs, func(def *ir.Rule) bool {
			text, there := g.texts[def.DefKey()]
			return there && text != texts[def.DefKey()]
		})
	})
	if at < 0 {
		at, groups = len(groups), append(groups, &group{texts: map[string]string{}})
	}
	g := groups[at]
	g.rules = append(g.rules, r)
	for _, def := range r.Defs {
		if _, there := g.texts[def.DefKey()]; !there {
			g.texts[def.DefKey()] = texts[def.DefKey()]
			g.defs = append(g.defs, def)
		}
	}
	return groups
}

// ruleText returns a text that is the same only for equal rules.
func ruleText(rules any) string {
	text, err := json.Marshal(rules)
	if err != nil {
		panic("naming: rules hold texts and lists alone: " + err.Error())
	}
	return string(text)
}
