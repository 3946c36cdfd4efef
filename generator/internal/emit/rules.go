package emit

import (
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const rulePath = "github.com/outboxgen/outboxgen/runtime/rule"

// rules declares the rules of the file's types, and their shared definitions.
func (c *coder) rules() string {
	var b strings.Builder
	for _, r := range c.file.Rules() {
		c.imports[rulePath] = ""
		fmt.Fprintf(&b, "var %s = %s\n\n", r.Var, ruleSet(r))
	}
	for _, d := range c.file.Defs {
		fmt.Fprintf(&b, "var %s = %s\n\n", d.Var, ruleDefs(d.Defs))
	}
	return b.String()
}

func ruleSet(r *ir.Rules) string {
	var b strings.Builder
	b.WriteString("rule.Set{\nRules: []*rule.Schema{\n")
	for _, rule := range r.Rules {
		b.WriteString(ruleLiteral(rule, "") + ",\n")
	}
	b.WriteString("},\n")
	switch {
	case r.DefsVar != "":
		b.WriteString("Defs: " + r.DefsVar + ",\n")
	case len(r.Defs) > 0:
		b.WriteString("Defs: " + ruleDefs(r.Defs) + ",\n")
	}
	b.WriteString("}")
	return b.String()
}

func ruleDefs(defs []*ir.Rule) string {
	var b strings.Builder
	b.WriteString("map[string]*rule.Schema{\n")
	for _, def := range defs {
		fmt.Fprintf(&b, "%s: %s,\n", quote(def.DefKey()), ruleLiteral(def, def.DefKey()))
	}
	b.WriteString("}")
	return b.String()
}

// shortRule is the length of a literal up to which it is written on one line.
const shortRule = 80

// ruleLiteral returns a composite literal without its type. at is the place that
// package rule computes for the schema.
func ruleLiteral(r *ir.Rule, at string) string {
	var words []string
	if r.Place != at {
		words = append(words, "At: "+quote(r.Place))
	}
	for _, w := range r.Words {
		words = append(words, goname.Exported(w.Keyword)+": "+ruleValue(w, r.Place))
	}
	return braces(words)
}

func braces(parts []string) string {
	one := "{" + strings.Join(parts, ", ") + "}"
	if len(one) <= shortRule && !strings.Contains(one, "\n") {
		return one
	}
	return "{\n" + strings.Join(parts, ",\n") + ",\n}"
}

func ruleValue(w ir.Word, at string) string {
	at += "/" + w.Keyword
	switch v := w.Value.(type) {
	case *ir.Rule:
		return "&rule.Schema" + ruleLiteral(v, at)
	case []*ir.Rule:
		var parts []string
		for i, r := range v {
			parts = append(parts, ruleLiteral(r, fmt.Sprintf("%s/%d", at, i)))
		}
		return "[]*rule.Schema" + braces(parts)
	case []string:
		return "[]string" + braces(quoted(v))
	case []ir.Entry:
		return ruleEntries(v, at)
	case ir.Literal:
		return ruleConstant(v)
	}
	return "nil"
}

func ruleEntries(entries []ir.Entry, at string) string {
	kind := "map[string]*rule.Schema"
	var parts []string
	for _, e := range entries {
		name := raw(e.Name)
		if !strings.Contains(e.Name, `\`) {
			name = quote(e.Name)
		}
		switch v := e.Value.(type) {
		case *ir.Rule:
			parts = append(parts, name+": "+ruleLiteral(v, at+"/"+schema.EscapeToken(e.Name)))
		case []string:
			kind = "map[string][]string"
			parts = append(parts, name+": "+braces(quoted(v)))
		}
	}
	return kind + braces(parts)
}

func ruleConstant(l ir.Literal) string {
	switch l.Kind {
	case ir.CountLiteral:
		return l.Text[0]
	case ir.LimitLiteral:
		return "new(" + l.Text[0] + ")"
	case ir.TrueLiteral:
		return "true"
	case ir.TextLiteral:
		if strings.Contains(l.Text[0], `\`) {
			return raw(l.Text[0])
		}
		return quote(l.Text[0])
	case ir.JSONLiteral:
		return raw(l.Text[0])
	}
	var values []string
	for _, text := range l.Text {
		values = append(values, raw(text))
	}
	return "[]rule.JSON" + braces(values)
}

func quoted(words []string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = quote(w)
	}
	return all
}
