package bundle

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// object is a JSON object with its members in the order in which they were added.
type object struct{ members []string }

func (o *object) String() string { return "{" + strings.Join(o.members, ",") + "}" }

// add adds a member whose value is JSON already.
func (o *object) add(name, value string) { o.members = append(o.members, quote(name)+":"+value) }

func (o *object) text(name, value string) { o.add(name, quote(value)) }

// optional adds a text, unless it is empty.
func (o *object) optional(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

// flag adds true, if it is set.
func (o *object) flag(name string, set bool) {
	if set {
		o.add(name, "true")
	}
}

func (o *object) number(name string, n *schema.Number) {
	if n != nil {
		o.add(name, n.Text)
	}
}

// enumNames adds the names of the values of an enum, if each has one.
func (o *object) enumNames(s *schema.Schema) {
	var all []string
	for _, value := range s.Enum {
		name := s.EnumNames[value.Canonical()]
		if name == "" {
			return
		}
		all = append(all, name)
	}
	if len(all) > 0 {
		o.add("x-enum-varnames", texts(all))
	}
}

func (b *bundler) sub(o *object, name string, s *schema.Schema) {
	if s != nil {
		o.add(name, b.schema(s))
	}
}

// list adds a keyword that holds schemas, those that are JSON already last.
func (b *bundler) list(o *object, name string, all []*schema.Schema, also ...string) {
	if len(all) == 0 && len(also) == 0 {
		return
	}
	o.add(name, array(all, b.schema, also...))
}

func (b *bundler) named(o *object, name string, all []schema.Property) {
	if len(all) == 0 {
		return
	}
	members := &object{}
	for _, p := range all {
		members.add(p.Name, b.schema(p.Schema))
	}
	o.add(name, members.String())
}

// reference is $ref to a schema in this document.
func (b *bundler) reference(to *schema.Schema) string {
	if to == b.root {
		return "#"
	}
	return "#" + cmp.Or(b.under, "/$defs") + "/" + b.names[to]
}

// assign gives each schema under $defs a name, and sorts them by it.
func (b *bundler) assign() {
	taken := map[string]bool{}
	for _, name := range b.names {
		taken[strings.ToLower(name)] = true
	}
	for _, s := range b.targets {
		if b.names[s] != "" {
			continue // it has one already
		}
		base := definitionName(s)
		if b.under != "" {
			base = componentName(s)
		}
		name := base
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s%d", base, n)
		}
		taken[strings.ToLower(name)] = true
		b.names[s] = name
	}
	slices.SortFunc(b.targets, func(x, y *schema.Schema) int { return strings.Compare(b.names[x], b.names[y]) })
}

// notInName is what a name under $defs does without, so that it needs no escape
// in a reference and becomes the name of a class.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_]+`)

// definitionName returns the title of a schema, or else the last part of its pointer,
// or else the name of its file.
func definitionName(s *schema.Schema) string {
	name := notInName.ReplaceAllString(s.Title, "")
	if name == "" {
		name = strings.Trim(notInName.ReplaceAllString(path.Base(s.Pointer), "_"), "_")
	}
	if name == "" {
		file, _, _ := strings.Cut(path.Base(s.Doc.Path), ".")
		name = strings.Trim(notInName.ReplaceAllString(file, "_"), "_")
	}
	if name == "" {
		name = "schema"
	}
	return name
}

// notInComponent is what the name of a component of AsyncAPI must not have.
var notInComponent = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// letters matches what a name has in any script, besides _, - and dots.
const letters = `\p{L}\p{M}\p{N}_`

var (
	notInTitle   = regexp.MustCompile(`[^` + letters + `]+`)
	notInOwnName = regexp.MustCompile(`[^` + letters + `.-]+`)
)

// componentName is definitionName for AsyncAPI. Without a title, the Go name follows
// from it, so the name of a definition stays as it is where that is possible.
func componentName(s *schema.Schema) string {
	name := notInOwnName.ReplaceAllString(ownName(s), "_")
	switch {
	case s.Title != "":
		name = notInTitle.ReplaceAllString(s.Title, "")
	case escaped(ownName(s)): // it gets a title: see titled
		name = notInTitle.ReplaceAllString(naming.RefName(s), "")
	}
	if strings.Trim(name, "_.-") == "" {
		return definitionName(s)
	}
	return schema.ComponentKey(name)
}

// beyondASCII reports whether a name cannot be the key of a component, because it has other
// letters.
func beyondASCII(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII })
}

// escaped reports whether the key of a component cannot be a name, apart from what
// componentName replaces in any case: because of other letters, or because a part of it looks
// like a letter that was replaced.
func escaped(name string) bool {
	plain := notInOwnName.ReplaceAllString(name, "_")
	return beyondASCII(name) || schema.ComponentKey(plain) != plain
}

// ownName returns the name that a schema has: of its definition, or of its file.
func ownName(s *schema.Schema) string {
	if s.Pointer == "" {
		return strings.TrimSuffix(path.Base(s.Doc.Path), path.Ext(s.Doc.Path))
	}
	return schema.UnescapeToken(s.Pointer[strings.LastIndexByte(s.Pointer, '/')+1:])
}

func quote(text string) string { return (&schema.Value{Kind: schema.String, Text: text}).JSON() }

// array returns an array of the elements, those that are JSON already last.
func array[T any](all []T, text func(T) string, also ...string) string {
	var parts []string
	for _, element := range all {
		parts = append(parts, text(element))
	}
	return "[" + strings.Join(append(parts, also...), ",") + "]"
}

func texts(all []string) string { return array(all, quote) }

func values(all []*schema.Value) string { return array(all, (*schema.Value).JSON) }
