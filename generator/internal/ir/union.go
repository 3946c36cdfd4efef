package ir

import (
	"maps"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Union is what a type has that is one of several.
type Union struct {
	Keyword  string // oneOf, anyOf or type: what Validate blames
	Branches []*Branch
	// Raw is set where a value may be valid for several branches: it is kept
	// as it came.
	Raw bool
	// Tag is the path to the member that tells the object branches apart, empty
	// where their members do. Base is the kind of its values.
	Tag  []string
	Base Kind
	// Unknown is the Go name of the type that keeps what is none of the branches.
	Unknown string
}

// Branch is one of the types of a union.
type Branch struct {
	Type *Type
	// Named is the Go type of the branch: that of Type where it has one, else one
	// declared for it. It is nil in a raw union, which needs none.
	Named *Named
	Name  string // in the names of a raw union's methods
	JSON  string // JSON type
	Tags  []*schema.Value
	// Member is the one whose presence chooses the branch, after the branches
	// before it; "" where only this branch is left.
	Member string
	Order  int // in which members are asked for

	inside []string // the keywords of the unions that it comes from, inside the union

	said   *schema.Schema // the branch with references and combinations folded in
	from   *schema.Schema // what typeOf takes
	joined bool           // with what stands beside the union
	tagged bool           // by discriminator, with a member that its schema does not require
	ref    *schema.Schema // the definition that it is a reference to
}

// union is the type of a schema that is one of several types, or nil for any
// other schema.
func (b *builder) union(s *schema.Schema, where context) *Type {
	if t := b.unionTypes[s]; t != nil {
		clone := *t
		return &clone
	}
	said := b.hoisted(s)
	keyword, branches, nullable := b.branches(said)
	if len(branches) < 2 {
		return nil
	}
	if listed := b.listOf(said, keyword, branches); listed != nil {
		t := *b.typeOf(listed, where)
		t.Nullable = t.Nullable || nullable
		return &t
	}
	if open := b.openEnum(s, keyword, branches, where); open != nil {
		open.Nullable = nullable
		return open
	}
	key := b.key(s, where)
	if n := b.byKey[key]; n != nil && n.Union != nil {
		return b.unionType(s, n, nullable)
	}
	n := &Named{Schema: s, Doc: s.Description, Deprecated: s.Deprecated, Union: &Union{Keyword: keyword, Branches: branches}}
	b.byKey[key] = n
	b.order = append(b.order, b.request(n, where))
	n.Origins = b.origins[said]
	why := b.tellApart(said, n.Union)
	if n.Union.Raw = why != ""; n.Union.Raw && !counted(keyword, branches) {
		branches = b.direct(said)
		n.Union.Branches = branches
	}
	t := b.unionType(s, n, nullable)
	for _, branch := range branches {
		b.branchType(n, branch)
	}
	if n.Union.Raw {
		b.list.Add(diag.Finding{
			Pos: at(said, keyword), Severity: diag.Warning, ID: "union-kept-raw",
			Message: "the branches of this " + keyword + " cannot be told apart: " + why + "; the value is kept as it came, with a method for each branch",
			Hint:    "give every branch a required property with a const of its own, such as kind",
		})
		b.nameBranches(n.Union)
	}
	b.evaluatedTogether(said, n.Union)
	return t
}

// evaluatedTogether warns where a value may be valid for several branches of an
// anyOf, all of which evaluate it, while here each is held against what is
// unevaluated beside the union on its own.
func (b *builder) evaluatedTogether(s *schema.Schema, u *Union) {
	if u.Keyword != "anyOf" || len(u.Tag) > 0 {
		return
	}
	for _, rest := range []struct {
		keyword, json string
		said          *schema.Schema
	}{{"unevaluatedProperties", "object", s.UnevaluatedProperties}, {"unevaluatedItems", "array", s.UnevaluatedItems}} {
		alike := 0
		for _, branch := range u.Branches {
			if branch.JSON == rest.json || branch.JSON == "" {
				alike++
			}
		}
		if rest.said == nil || isTrue(rest.said) || alike < 2 {
			continue
		}
		b.list.Add(diag.Finding{
			Pos: at(s, rest.keyword), Severity: diag.Warning, ID: "unevaluated-alone",
			Message: rest.keyword + " is checked against one branch of the anyOf at a time, so a value that only two of them together describe is refused",
			Hint:    "write oneOf where just one branch is meant, or give the branches a required property with a const of its own each",
		})
	}
}

func (b *builder) unionType(s *schema.Schema, n *Named, nullable bool) *Type {
	t := &Type{Kind: UnionKind, Named: n, Nullable: nullable}
	if n.Union.Raw {
		t.Kind = Struct
	}
	b.unionTypes[s] = t
	clone := *t
	return &clone
}

// branches lists the alternatives of a schema but null, and the keyword that
// they stand under.
func (b *builder) branches(s *schema.Schema) (keyword string, branches []*Branch, nullable bool) {
	if len(unionsOf(s)) == 0 {
		merged := b.merge(s)
		branches = b.byType(merged)
		return "type", branches, len(branches) > 1 && slices.Contains(merged.Types, "null") && listsNull(merged)
	}
	keyword, all := b.alternatives(s)
	if len(withoutNulls(all)) < 2 {
		return "", nil, false
	}
	branches, nulls := b.flatten(s, all, map[*schema.Schema]bool{s: true}, nil)
	nullable = nulls > 0
	if keyword == "oneOf" {
		nullable = nulls == 1
	} else {
		branches = withoutListed(branches)
	}
	nullable = nullable && (len(s.Types) == 0 || slices.Contains(s.Types, "null")) && listsNull(s)
	return keyword, branches, nullable
}

// alternatives is the branches of the union of a schema that is not a rule. Of
// several the first one gives the types; the others are rules.
func (b *builder) alternatives(s *schema.Schema) (keyword string, branches []*schema.Schema) {
	own := slices.DeleteFunc(unionsOf(s), func(u union) bool {
		return b.ruled[s] == u.keyword || b.constraintOnly(s, withoutNulls(u.branches))
	})
	if len(own) == 0 {
		return "", nil
	}
	if len(own) > 1 && len(withoutNulls(own[0].branches)) > 1 {
		b.beRule(s, own[1].keyword)
	} else if len(own) > 1 {
		return "", nil
	}
	return own[0].keyword, own[0].branches
}

// beRule has a union checked by Validate alone, since another one has given the
// value its types.
func (b *builder) beRule(s *schema.Schema, keyword string) {
	if b.ruled[s] != "" {
		return
	}
	b.ruled[s] = keyword
	b.list.Add(diag.Finding{
		Pos: at(s, keyword), Severity: diag.Warning, ID: "second-union",
		Message: "a value is one of the branches of another union as well, which gives it its Go type; this " + keyword + " is checked by Validate, and its members are optional fields",
		Hint:    "write one union whose branches are what both of them allow",
	})
}

func withoutNulls(branches []*schema.Schema) []*schema.Schema {
	return slices.DeleteFunc(slices.Clone(branches), isNull)
}

// hoisted is a schema with the first union among the parts of its allOf as its
// own, or the schema itself.
func (b *builder) hoisted(s *schema.Schema) *schema.Schema {
	if len(s.AllOf) == 0 || s.Ref != nil || len(unionsOf(s)) > 0 {
		return s
	}
	var from *schema.Schema // the part with the union
	at, keyword := -1, ""
	for i, part := range s.AllOf {
		target := part.Resolved()
		if target == nil {
			continue
		}
		word, branches := b.alternatives(target)
		if len(withoutNulls(branches)) < 2 || b.isRule(s, target, branches) {
			continue
		}
		if from != nil {
			b.beRule(target, word)
			continue
		}
		from, at, keyword = target, i, word
	}
	if from == nil {
		return s
	}
	rest, h := *from, *s
	h.Discriminator, h.At = from.Discriminator, maps.Clone(s.At)
	h.At[keyword] = from.At[keyword]
	if keyword == "anyOf" {
		h.AnyOf, rest.AnyOf = from.AnyOf, nil
	} else {
		h.OneOf, rest.OneOf = from.OneOf, nil
	}
	h.AllOf = slices.Clone(s.AllOf)
	h.AllOf[at] = &rest
	b.renamed(&h, keyword, b.origin(from, keyword))
	return &h
}

// flatten lists the branches of a union, those of a union inside it for that
// one, and counts the branches that allow null. wrap adds to a branch what
// stands around the union.
func (b *builder) flatten(s *schema.Schema, all []*schema.Schema, seen map[*schema.Schema]bool, wrap wrapper) (branches []*Branch, nulls int) {
	keyword, _ := b.alternatives(s)
	if s.Ref != nil || s.SaysMore(keyword) {
		outer := wrap
		wrap = func(part, ref *schema.Schema) *schema.Schema {
			both := b.joined(s, keyword, part, ref)
			if outer != nil {
				both = outer(both, ref)
			}
			return both
		}
	}
	for _, part := range all {
		if isNull(part) {
			nulls++
			continue
		}
		target := part.Resolved()
		if target == nil {
			continue
		}
		nested := b.hoisted(target)
		if word, parts := b.alternatives(nested); len(withoutNulls(parts)) > 1 && !seen[target] {
			seen[target] = true
			inner, within := b.flatten(nested, parts, seen, wrap)
			for _, branch := range inner {
				branch.inside = append(branch.inside, word)
			}
			branches = append(branches, inner...)
			if within > 0 {
				nulls++
			}
			continue
		}
		branch := &Branch{from: part}
		if part.Ref != nil && part.Ref.Target != nil {
			branch.ref = lastRef(part)
			if branch.ref == part {
				branch.ref = lastRef(part.Ref.Target)
			}
		}
		if wrap != nil && !extends(target, s) {
			branch.from, branch.joined = wrap(part, branch.ref), true
		}
		branch.said = b.resolve(branch.from)
		if slices.Contains(branch.said.Types, "null") && listsNull(branch.said) {
			nulls++
		}
		if several := b.byType(branch.said); len(several) > 1 {
			branches = append(branches, several...)
			continue
		}
		branch.JSON = jsonType(branch.said)
		branches = append(branches, branch)
	}
	return branches, nulls
}

// counted reports whether as many branches take a value as would of the unions
// that they come from: it does not matter for anyOf alone, nor where no union
// was inside another one.
func counted(keyword string, branches []*Branch) bool {
	return !slices.ContainsFunc(branches, func(branch *Branch) bool {
		return len(branch.inside) > 0 && (keyword != "anyOf" || slices.Contains(branch.inside, "oneOf"))
	})
}

// direct is the branches of a union, each with the unions inside it.
func (b *builder) direct(s *schema.Schema) []*Branch {
	keyword, all := b.alternatives(s)
	var branches []*Branch
	for _, part := range withoutNulls(all) {
		target := part.Resolved()
		if target == nil {
			continue
		}
		branch := &Branch{from: part, said: target, JSON: jsonType(target)}
		if part.Ref != nil && part.Ref.Target != nil {
			branch.ref = lastRef(part)
		}
		if (s.Ref != nil || s.SaysMore(keyword)) && !extends(target, s) {
			branch.from, branch.joined = b.joined(s, keyword, part, branch.ref), true
		}
		branches = append(branches, branch)
	}
	return branches
}

// wrapper adds to a branch, which may be a reference to a definition, what
// stands around it.
type wrapper func(part, ref *schema.Schema) *schema.Schema

// extends reports whether a branch refers back to the schema with its union,
// and so has what stands beside that already.
func extends(branch, base *schema.Schema) bool {
	seen := map[*schema.Schema]bool{}
	var leads func(s *schema.Schema) bool
	leads = func(s *schema.Schema) bool {
		if s == nil || seen[s] || s.BaseOf != nil {
			return s != nil && s.BaseOf == base
		}
		seen[s] = true
		return s.Ref != nil && leads(s.Ref.Target) || slices.ContainsFunc(s.AllOf, leads)
	}
	return leads(branch)
}

// joined is a branch together with what stands beside the union. What closes
// the object there closes it for both, where that may be said of both.
func (b *builder) joined(s *schema.Schema, keyword string, part, ref *schema.Schema) *schema.Schema {
	rest := *s
	rest.Title, rest.Description = "", ""
	if keyword == "anyOf" {
		rest.AnyOf = nil
	} else {
		rest.OneOf = nil
	}
	both := &schema.Schema{
		Pos: part.Pos, Doc: part.Doc, Pointer: part.Pointer, Title: part.Title, Description: part.Description,
		At: map[string]diag.Pos{"allOf": part.Pos},
	}
	if ref != nil {
		both.Title, both.Description = first(both.Title, ref.Title), first(both.Description, ref.Description)
	}
	both.UnevaluatedProperties, rest.UnevaluatedProperties = rest.UnevaluatedProperties, nil
	both.UnevaluatedItems, rest.UnevaluatedItems = rest.UnevaluatedItems, nil
	if said := b.resolve(part); said != nil && !slices.ContainsFunc(said.Properties, func(p schema.Property) bool { return property(s, p.Name) == nil }) {
		both.AdditionalProperties, rest.AdditionalProperties = rest.AdditionalProperties, nil
	}
	both.AllOf = []*schema.Schema{&rest, part}
	return both
}

// whose is the type that a member belongs to: of a branch, the union beside
// which the member stands.
func (n *Named) whose(p schema.Property) *Named {
	if n.joins == nil {
		return n
	}
	for _, part := range append([]*schema.Schema{n.joins.Schema}, n.joins.Schema.AllOf...) {
		if part = part.Resolved(); part != nil && property(part, p.Name) == p.Schema {
			return n.joins
		}
	}
	return n
}

// property is the schema of a member, nil where s has none.
func property(s *schema.Schema, name string) *schema.Schema {
	for _, p := range s.Properties {
		if p.Name == name {
			return p.Schema
		}
	}
	return nil
}

// byType splits a schema with several types into one for each.
func (b *builder) byType(s *schema.Schema) []*Branch {
	var branches []*Branch
	if len(s.Types) < 2 {
		return nil
	}
	for _, name := range s.Types {
		if name == "null" || name == "integer" && slices.Contains(s.Types, "number") {
			continue
		}
		one := *s
		one.Types, one.Title, one.Description, one.Default = []string{name}, "", "", nil
		one.Pointer = s.Pointer + "/type/" + name
		if s.Enum != nil {
			one.Enum = slices.DeleteFunc(slices.Clone(s.Enum), func(v *schema.Value) bool { return !fits(v, name) })
			if len(one.Enum) == 0 {
				continue
			}
		}
		if s.Const != nil && !fits(s.Const, name) {
			continue
		}
		b.copied[&one], b.origins[&one] = s, b.origins[s]
		if parts := b.parts[s]; parts != nil {
			b.parts[&one] = parts
		}
		branches = append(branches, &Branch{from: &one, said: &one, JSON: name})
	}
	return branches
}

// jsonType is the one JSON type of a schema, "" where it may be any of several.
func jsonType(s *schema.Schema) string {
	types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
	if len(types) == 1 {
		return types[0]
	}
	if len(types) == 2 && slices.Contains(types, "integer") && slices.Contains(types, "number") {
		return "number"
	}
	if len(types) > 1 || len(s.AnyOf)+len(s.OneOf) > 0 {
		return ""
	}
	kind := ""
	for i, v := range valuesOf(s) {
		if i > 0 && v.Kind.String() != kind {
			return ""
		}
		kind = v.Kind.String()
	}
	if kind == "" {
		kind, _ = guessed(s)
	}
	return kind
}

// listOf is a union whose branches list values of one type, as the list of them
// all, or nil for any other union.
func (b *builder) listOf(s *schema.Schema, keyword string, branches []*Branch) *schema.Schema {
	if keyword == "type" {
		return nil
	}
	if listed := b.unions[s]; listed != nil {
		return listed
	}
	var values []*schema.Value
	seen, called := map[string]bool{}, map[string]string{}
	for _, branch := range branches {
		said := branch.said
		listed := valuesOf(said)
		if len(listed) == 1 && said.Title != "" {
			called[listed[0].Canonical()] = said.Title
		}
		if len(listed) == 0 || branch.JSON != branches[0].JSON || branch.JSON == "object" || branch.JSON == "array" || said.SaysMore("type", "const", "enum", "allOf") {
			return nil
		}
		for _, v := range listed {
			if seen[v.Canonical()] {
				if keyword == "oneOf" {
					return nil // which no value may be
				}
				continue
			}
			seen[v.Canonical()] = true
			values = append(values, v)
		}
	}
	list := *s
	list.AnyOf, list.OneOf, list.Enum, list.EnumNames, list.Types = nil, nil, values, called, []string{branches[0].JSON}
	list.At = map[string]diag.Pos{"enum": at(s, keyword)}
	if pos, ok := s.At["title"]; ok {
		list.At["title"] = pos
	}
	b.renamed(&list, "enum", b.placeOf(s)+"/"+keyword)
	b.unions[s] = &list
	return &list
}

// openEnum is a union of listed strings with any others that a second branch
// allows, or nil for any other union: an enum whose list is not the last word.
func (b *builder) openEnum(s *schema.Schema, keyword string, branches []*Branch, where context) *Type {
	if keyword != "anyOf" || len(branches) != 2 {
		return nil
	}
	listed, free := branches[0].said, branches[1].said
	if len(valuesOf(listed)) == 0 {
		listed, free = free, listed
	}
	if branches[0].JSON != "string" || branches[1].JSON != "string" || len(valuesOf(listed)) == 0 || len(valuesOf(free)) > 0 {
		return nil
	}
	if listed.SaysMore("type", "const", "enum", "allOf") || free.SaysMore("type", "minLength", "maxLength", "pattern", "allOf") {
		return nil
	}
	t := b.enum(s, "string", b.fitting(listed, "string"), where)
	if t.Named.Open == nil {
		t.Named.Open = b.text(free)
		t.Named.Open.Place, t.Named.Open.Origins = b.placeOf(free), b.origins[free]
	}
	return t
}

// branchType gives a branch its Go type.
func (b *builder) branchType(union *Named, branch *Branch) {
	where := context{parent: union, property: b.branchName(union.Union, branch), ref: branch.ref}
	if branch.joined || branch.tagged {
		where.joins = union
	}
	t := *b.typeOf(branch.from, where)
	t.Nullable = t.Kind == Any
	branch.Type = &t
	switch {
	case union.Union.Raw || t.Kind == Any:
		return
	case t.Named != nil:
		branch.Named = t.Named
		branch.joins(union)
		return
	}
	key := "declared " + b.key(branch.said, where)
	if n := b.byKey[key]; n != nil {
		branch.Named = n
		branch.joins(union)
		return
	}
	n := &Named{Schema: branch.said, Doc: branch.said.Description, Deprecated: branch.said.Deprecated, Of: &t}
	branch.Named, b.byKey[key] = n, n
	b.order = append(b.order, b.request(n, where))
	branch.joins(union)
}

// joins notes that the type of a branch is one of a union, which is what there
// is to say of one that is written in line.
func (branch *Branch) joins(union *Named) {
	n := branch.Named
	if n.Parent == union {
		n.Parent, n.Role = nil, ""
	}
	if !slices.Contains(n.Unions, union) {
		n.Unions = append(n.Unions, union)
	}
}
