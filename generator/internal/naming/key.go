package naming

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const (
	// maxKeyed limits the schemas that are compared to decide whether two types with
	// one name are the same. Larger ones are the same only if they are in one place.
	maxKeyed = 50_000
	// maxKeyedAll bounds them for a whole project.
	maxKeyedAll = 5_000_000
)

// keyed is a type among those with one wanted name.
type keyed struct {
	node    *normal.Node
	schema  *schema.Schema
	key     string
	content [sha256.Size]byte // content of the schema, computed when another type has the name
	written bool
}

// Key distinguishes types that want the same name: two nodes with one key are one type.
// Inline schemas are always different, unless they have a title.
func (n *Scheme) Key(node *normal.Node, s *schema.Schema, at Context) string {
	title := n.title(s, at)
	if title == "" && at.Ref == nil {
		return placeOfNode(node, s, at)
	}
	name := goname.Title(title)
	if title == "" {
		name = goname.Exported(RefName(at.Ref))
	}
	of := &keyed{node: node, schema: s, key: fmt.Sprintf("%s %d", name, len(n.keys[name]))}
	for _, other := range n.keys[name] {
		if other.node == node || n.content(other) == n.content(of) {
			return other.key
		}
	}
	n.keys[name] = append(n.keys[name], of)
	return of.key
}

// place returns the place of a schema, with its variant.
func place(s *schema.Schema) string {
	if s.Variant > 0 {
		return fmt.Sprintf("%s#%s (%d)", s.Doc.Path, s.Pointer, s.Variant+1)
	}
	return s.Doc.Path + "#" + s.Pointer
}

// placeOfNode returns the place of s, which node is named after. A node with more than
// s, or only one of its types, has another place.
func placeOfNode(node *normal.Node, s *schema.Schema, at Context) string {
	text := place(s)
	if at.Kind != "" {
		text += "/type/" + at.Kind
	}
	if !node.Single() {
		text += " " + node.Key()
	}
	return text
}

// content returns the content of k's schema.
func (n *Scheme) content(k *keyed) [sha256.Size]byte {
	if !k.written {
		k.written = true
		w := writer{most: min(maxKeyed, maxKeyedAll-n.wrote)}
		if k.node.Single() {
			w.schema(k.schema)
		} else {
			w.WriteString(k.node.Key()) // a combination is always unique
		}
		n.wrote += len(w.seen)
		text := w.String()
		if w.over {
			text = place(k.schema)
		}
		k.content = sha256.Sum256([]byte(text))
	}
	return k.content
}

// writer writes the content of a schema without its place. A reference is written as
// its target's place or, if it leads to a definition of the same file, as that
// definition the first time.
type writer struct {
	strings.Builder
	seen map[*schema.Schema]int
	most int  // limit of schemas to write
	over bool // there are more
}

func (w *writer) schema(s *schema.Schema) {
	if s == nil {
		return
	}
	if n, ok := w.seen[s]; ok {
		fmt.Fprintf(w, "^%d", n)
		return
	}
	if w.seen == nil {
		w.seen = map[*schema.Schema]int{}
	}
	if w.over = w.over || len(w.seen) >= w.most; w.over {
		return
	}
	w.seen[s] = len(w.seen)
	if s.Bool != nil {
		fmt.Fprint(w, *s.Bool)
		return
	}
	fmt.Fprintf(w, "{%q %q %q %t %q %q %q %t %t", s.Title, s.Description, s.Types, s.Deprecated, s.Format, s.ContentEncoding, sortedNames(s.Required), s.UniqueItems, s.ContainsCounts)
	if s.Ref != nil {
		w.WriteString(" ref ")
		w.schema(s.Ref.Target)
	}
	w.properties("props", s.Properties)
	w.properties("patterns", s.PatternProperties)
	w.properties("dependent", s.DependentSchemas)
	for _, part := range []struct {
		name   string
		schema *schema.Schema
	}{
		{"additional", s.AdditionalProperties}, {"unevaluated", s.UnevaluatedProperties}, {"names", s.PropertyNames},
		{"items", s.Items}, {"contains", s.Contains}, {"unevaluatedItems", s.UnevaluatedItems},
		{"not", s.Not}, {"if", s.If}, {"then", s.Then}, {"else", s.Else},
	} {
		if part.schema != nil {
			fmt.Fprintf(w, " %s ", part.name)
			w.schema(part.schema)
		}
	}
	w.schemas("prefix", s.PrefixItems)
	w.schemas("allOf", s.AllOf)
	w.schemas("anyOf", s.AnyOf)
	w.schemas("oneOf", s.OneOf)
	w.discriminator(s)
	for _, n := range []*schema.Number{
		s.MinProperties, s.MaxProperties, s.MinContains, s.MaxContains, s.MinItems, s.MaxItems, s.MinLength, s.MaxLength,
		s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf,
	} {
		if n == nil {
			w.WriteString(" -")
		} else {
			fmt.Fprintf(w, " %s", n.Text)
		}
	}
	for _, list := range []struct {
		keyword string
		empty   bool
	}{
		{"properties", len(s.Properties) == 0}, {"patternProperties", len(s.PatternProperties) == 0}, {"required", len(s.Required) == 0},
		{"uniqueItems", !s.UniqueItems},
	} {
		if _, there := s.At[list.keyword]; there && list.empty {
			w.WriteString(" empty " + list.keyword) // which implies a type
		}
	}
	if s.Pattern != nil {
		fmt.Fprintf(w, " pattern %q", s.Pattern.Text)
	}
	w.value("const", s.Const)
	w.value("default", s.Default)
	if s.Enum != nil {
		w.WriteString(" listed") // an empty list allows nothing
	}
	for _, v := range s.Enum {
		w.value("enum", v)
		if name := s.EnumNames[v.Canonical()]; name != "" {
			fmt.Fprintf(w, " called %q", name)
		}
	}
	for _, d := range s.DependentRequired {
		fmt.Fprintf(w, " dep %q %q", d.Name.Text, sortedNames(d.Required))
	}
	w.WriteString("}")
}

// discriminator writes what distinguishes the branches of a union. A branch without a
// mapped value is identified by the name of its definition.
func (w *writer) discriminator(s *schema.Schema) {
	d := s.Discriminator
	if d == nil {
		return
	}
	fmt.Fprintf(w, " by %q", d.PropertyName.Text)
	for i, target := range d.Targets {
		fmt.Fprintf(w, " %q ", d.Mapping[i].Text)
		w.schema(target)
	}
	w.branchNames(s, map[*schema.Schema]bool{})
}

// branchNames writes the names of the definitions that the branches of s refer to.
func (w *writer) branchNames(s *schema.Schema, seen map[*schema.Schema]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if s.Ref != nil && s.Ref.Target != nil {
		fmt.Fprintf(w, " %q", RefName(s.Ref.Target))
		w.branchNames(s.Ref.Target, seen)
	}
	for _, branch := range slices.Concat(s.OneOf, s.AnyOf) {
		w.branchNames(branch, seen)
	}
}

func (w *writer) schemas(name string, parts []*schema.Schema) {
	for _, s := range parts {
		fmt.Fprintf(w, " %s ", name)
		w.schema(s)
	}
}

func (w *writer) properties(name string, properties []schema.Property) {
	for _, p := range properties {
		fmt.Fprintf(w, " %s %q ", name, p.Name)
		w.schema(p.Schema)
	}
}

func (w *writer) value(name string, v *schema.Value) {
	if v == nil {
		return
	}
	fmt.Fprintf(w, " %s %d %t %q", name, v.Kind, v.Bool, v.Text)
	for _, item := range v.Items {
		w.value("item", item)
	}
	for _, m := range v.Members {
		w.value(fmt.Sprintf("member %q", m.Name), m.Value)
	}
}

func sortedNames(in []schema.Name) []string {
	out := map[string]bool{}
	for _, n := range in {
		out[n.Text] = true
	}
	return slices.Sorted(maps.Keys(out))
}
