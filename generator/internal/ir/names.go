package ir

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// request works out what a type wants to be called.
func (b *builder) request(n *Named, at context) *request {
	s := n.Schema
	title := b.title(s, at)
	if at.ref == nil && title == "" && !at.whole() {
		n.Parent, n.Role = at.parent, at.role()
	}
	r := &request{named: n, version: b.version[s.Doc], library: b.version[s.Doc] == 0, joins: at.joins}
	word := at.property
	switch {
	case at.part != "" && at.data:
		word = at.part
	case at.part != "":
		word = singular(word, at.part)
	}
	short := goname.Exported(word)
	switch {
	case title != "":
		short = goname.Title(title)
	case at.ref != nil:
		short = goname.Exported(refName(at.ref))
	case at.parent != nil:
		r.parent, r.wanted = at.parent, []string{short}
		if at.part != "" {
			r.wanted = append(r.wanted, goname.Exported(at.property+"_"+at.part))
		}
		return r
	}
	owner := b.owners[s.Doc]
	if owner == "" {
		owner = goname.Exported(stem(s.Doc.Path))
	}
	r.wanted = []string{short, owner + short, owner + short + "Type"}
	if at.ref != nil && at.ref.Pointer != "" {
		if full := goname.Exported(lastToken(at.ref)); full != short {
			r.full = full
		}
	}
	return r
}

// title is the title of s as far as it names a type. Tools that give every
// member a title repeat its name there: that is no name of a type, which other
// members may want as well.
func (b *builder) title(s *schema.Schema, at context) string {
	if at.whole() {
		return ""
	}
	if class, ok := strings.CutPrefix(s.ID, "urn:jsonschema:"); ok && s.Title == "" {
		return class[strings.LastIndexByte(class, ':')+1:] // Jackson's name for a class
	}
	if at.sameTitle(s) {
		return ""
	}
	if s.Title == "" || at.ref != nil || at.property == "" {
		return s.Title
	}
	title := goname.Exported(s.Title)
	for _, repeated := range []string{at.property, at.property + "_" + at.part, singular(at.property, at.part)} {
		if title == goname.Exported(repeated) && (strings.Contains(s.Title, " ") || b.titled(s.Doc)) {
			return ""
		}
	}
	return s.Title
}

// titled reports whether a file gives titles to members that make no types,
// where nobody would have written them for the sake of a name.
func (b *builder) titled(doc *schema.Document) bool {
	known, ok := b.titles[doc]
	if ok {
		return known
	}
	seen := map[*schema.Schema]bool{}
	var repeats func(s *schema.Schema) bool
	repeats = func(s *schema.Schema) bool {
		if s == nil || seen[s] {
			return false
		}
		seen[s] = true
		for _, p := range s.Properties {
			if sub := p.Schema; sub.Title != "" && len(sub.Properties) == 0 && sub.Enum == nil && sub.Const == nil && goname.Exported(sub.Title) == goname.Exported(p.Name) {
				return true
			}
			if repeats(p.Schema) {
				return true
			}
		}
		for _, p := range s.Defs {
			if repeats(p.Schema) {
				return true
			}
		}
		return repeats(s.Items)
	}
	known = repeats(doc.Root)
	b.titles[doc] = known
	return known
}

// role is how the place reads in a comment.
func (c context) role() string {
	role := "the member " + strconv.Quote(c.property)
	switch {
	case c.data:
		role = "the value"
	case c.property == additional:
		role = "the additional members"
	}
	switch c.part {
	case "item":
		return "the items of " + role
	case "value":
		return "the values of " + role
	case "member":
		return "the members whose names match a pattern"
	}
	return role
}

// refName is the name by which a reference's target is known: the name of its
// definition, or of its file. Of a dotted name only the last part counts, also
// inside the brackets of a generic one: com.acme.Page<com.acme.Item> is Page
// Item.
func refName(target *schema.Schema) string {
	if target.Pointer == "" {
		return stem(target.Doc.Path)
	}
	parts := strings.FieldsFunc(lastToken(target), func(r rune) bool { return strings.ContainsRune("<>[](),« »", r) })
	for i, part := range parts {
		for _, cut := range []string{".", "/"} {
			if at := strings.LastIndex(part, cut); at >= 0 && at+1 < len(part) && (part[at+1] < '0' || part[at+1] > '9') {
				part = part[at+1:]
			}
		}
		parts[i] = part
	}
	if len(parts) == 0 {
		return lastToken(target)
	}
	return strings.Join(parts, " ")
}

// anonymous reports whether a definition has a number for a name, which Zod
// gives to those that need one only for recursion.
func anonymous(target *schema.Schema) bool {
	number, ok := strings.CutPrefix(lastToken(target), "__schema")
	_, err := strconv.Atoi(number)
	return ok && err == nil && target.Title == ""
}

// lastToken is the name of a definition as it is written.
func lastToken(target *schema.Schema) string {
	name := target.Pointer[strings.LastIndexByte(target.Pointer, '/')+1:]
	return unescaper.Replace(name)
}

// unescaper reads a reference token of a JSON Pointer.
var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// assignNames gives every type its name, the strongest claim first.
func (b *builder) assignNames(pkg *Package) {
	b.reach(pkg)
	names := newNames(pkg)
	claims := slices.Clone(b.order)
	slices.SortStableFunc(claims, func(x, y *request) int {
		return cmp.Or(
			cmp.Compare(rank(x), rank(y)),
			cmp.Compare(x.version, y.version),
			cmp.Compare(x.named.Schema.Doc.Path, y.named.Schema.Doc.Path),
			cmp.Compare(x.named.Schema.Pointer, y.named.Schema.Pointer),
		)
	})
	twins := twins(claims)
	contested := b.contested(claims, twins)
	for len(claims) > 0 {
		var later []*request
		for _, r := range claims {
			if r.parent != nil && r.parent.Name == "" || r.joins != nil && r.joins.Name == "" {
				later = append(later, r) // named after its parent, which comes first
				continue
			}
			wanted := r.wanted
			switch {
			case r.parent != nil:
				wanted = nil
				for _, word := range r.wanted {
					wanted = append(wanted, r.parent.Name+word)
				}
				wanted = append(wanted, wanted[0]+"Type")
			case twins[r]:
				wanted = append([]string{r.full}, wanted[1:]...)
			case r.joins != nil:
				wanted = []string{wanted[0], r.joins.Name + wanted[0], r.joins.Name + wanted[0] + "Type"}
			case contested[r] != nil:
				wanted = wanted[1:]
			}
			if r.named.Name = r.fixed; r.fixed == "" {
				r.named.Name = names.claim(wanted)
			}
			nameConstants(names, r)
			nameUnion(names, r.named)
		}
		if len(later) == len(claims) {
			break // cannot be: parents are found before their parts
		}
		claims = later
	}
	for _, r := range b.order {
		if keeper := contested[r]; keeper != nil && !b.newer(r, keeper) {
			b.warnContested(r, keeper)
		}
	}
	for _, r := range b.order {
		nameOthers(r.named)
		namePatterns(names, r.named)
		nameRules(names, r.named)
	}
	for _, r := range b.order {
		r.named.Place = b.placeOf(r.named.Schema)
		r.named.PlacesVar = lower(r.named.Name) + "Places"
		for k := 2; names[r.named.PlacesVar]; k++ {
			r.named.PlacesVar = fmt.Sprintf("%sPlaces%d", lower(r.named.Name), k)
		}
		names[r.named.PlacesVar] = true
	}
}

// contested finds the types whose short name goes to another type, each with
// the one that gets it: see keeper.
func (b *builder) contested(claims []*request, twins map[*request]bool) map[*request]*request {
	contested := map[*request]*request{}
	for _, all := range wanting(claims) {
		all = slices.DeleteFunc(all, func(r *request) bool { return twins[r] }) // these have a name of their own
		for keeper := b.keeper(all); len(all) > 0; all = all[1:] {
			if all[0] != keeper {
				contested[all[0]] = keeper
			}
		}
	}
	return contested
}

// keeper is the one of several types that gets the short name which all of
// them want: the package's documentation says which, and why. all is in the
// order of claims.
func (b *builder) keeper(all []*request) *request {
	var keeper *request
	for _, r := range all {
		switch {
		case slices.ContainsFunc(all, func(o *request) bool { return b.newer(r, o) }):
		case keeper == nil, len(r.events) > len(keeper.events) && r.library == keeper.library:
			keeper = r
		}
	}
	return keeper
}

// wanting are the types that want each short name.
func wanting(claims []*request) map[string][]*request {
	wanting := map[string][]*request{}
	for _, r := range claims {
		if r.fixed == "" && r.parent == nil && r.joins == nil {
			wanting[r.wanted[0]] = append(wanting[r.wanted[0]], r)
		}
	}
	return wanting
}

// twins finds the definitions of one file that want the same short name, and
// have a longer one that tells them apart: that of their definition where the
// titles are the same, or with its prefix where that was left out.
func twins(claims []*request) map[*request]bool {
	twins := map[*request]bool{}
	for _, all := range wanting(claims) {
		for _, r := range all {
			twins[r] = r.joins == nil && r.full != "" && slices.ContainsFunc(all, func(o *request) bool { return o != r && o.named.Schema.Doc == r.named.Schema.Doc })
		}
	}
	return twins
}

// newer reports whether o belongs to a later version of the event that r
// belongs to.
func (b *builder) newer(o, r *request) bool {
	return o.version > r.version && r.version > 0 && b.base(o) == b.base(r)
}

// base is the name of the event whose file r stands in, without its version.
func (b *builder) base(r *request) string {
	return strings.TrimSuffix(b.owners[r.named.Schema.Doc], "V"+strconv.Itoa(r.version))
}

// warnContested tells of a name that is longer than its schema says.
func (b *builder) warnContested(r, keeper *request) {
	pos := r.named.Schema.Pos
	if r.named.Schema.Title != "" {
		pos = at(r.named.Schema, "title")
	}
	b.list.Add(diag.Finding{
		Pos: pos, Severity: diag.Warning, ID: "name-contested",
		Message: fmt.Sprintf("the Go name %s goes to another schema, at %s, so this type is called %s", r.wanted[0], keeper.named.Schema.Pos, r.named.Name),
		Hint:    fmt.Sprintf("write title: %s here to settle that for good, or let both files refer to one definition", r.named.Name),
	})
}

// rank orders claims: events, libraries, definitions of events, inline types.
func rank(r *request) int {
	switch {
	case r.fixed != "":
		return 0
	case r.parent != nil:
		return 3
	case r.joins != nil:
		return 4
	case r.library:
		return 1
	}
	return 2
}

// reach notes which events a type is a part of.
func (b *builder) reach(pkg *Package) {
	requests := map[*Named]*request{}
	for _, r := range b.order {
		requests[r.named] = r
	}
	for _, e := range pkg.Events {
		seen := map[*Named]bool{}
		var visit func(n *Named)
		var visitType func(t *Type)
		visitType = func(t *Type) {
			if t == nil {
				return
			}
			if t.Named != nil {
				visit(t.Named)
			}
			visitType(t.Elem)
		}
		visit = func(n *Named) {
			if seen[n] || requests[n] == nil {
				return
			}
			seen[n] = true
			requests[n].events = append(requests[n].events, e.Event)
			for _, t := range n.Parts() {
				visitType(t)
			}
			if n.Union != nil {
				for _, branch := range n.Union.Branches {
					visitType(branch.Type)
					if branch.Named != nil {
						visit(branch.Named)
					}
				}
			}
		}
		visit(e.Data)
	}
}

// names are the identifiers of the package.
type names map[string]bool

func newNames(pkg *Package) names {
	n := names{"Service": true, "InsertAll": true, "insertRows": true, "nullable": true}
	for _, e := range pkg.Events {
		for _, prefix := range functions {
			n[prefix+e.GoName] = true
		}
		n.take(e.GoName)
		n[EventVar(e.GoName)] = true
	}
	return n
}

// functions are what the names of an event's functions begin with.
var functions = []string{"Insert", "Queue", "On", "Decode", "New"}

// checkNames reports events with the name of another event's function, and
// events whose names are too much alike for a file each.
func (b *builder) checkNames(pkg *Package) {
	events, files := map[string]*Event{}, map[string]*Event{}
	for _, e := range pkg.Events {
		events[e.GoName] = e
		file := eventFile(e.Event)
		if other := files[file]; other != nil {
			b.list.Add(diag.Finding{
				Pos: e.Pos, ID: "file-shared",
				Message: fmt.Sprintf("the Go names %s and %s, of the event at %s, want one file, %s", e.GoName, other.GoName, other.Pos, file),
				Hint:    "give one of them another title",
			})
		}
		files[file] = e
	}
	for _, e := range pkg.Events {
		for _, prefix := range functions {
			if other := events[prefix+e.GoName]; other != nil {
				b.list.Add(diag.Finding{
					Pos: other.Pos, ID: "name-taken",
					Message: fmt.Sprintf("the Go name %s is also that of a function for the event at %s", other.GoName, e.Pos),
					Hint:    "give one of them another title",
				})
			}
		}
	}
}

// EventVar is the Go name of an event's description.
func EventVar(goName string) string { return lower(goName) + "Event" }

// lower makes an exported name unexported: CJAssessment gives cjAssessment.
func lower(name string) string {
	n := 0
	for n < len(name) && 'A' <= name[n] && name[n] <= 'Z' {
		n++
	}
	switch {
	case n == 0:
		return "x" + name
	case n > 1 && n < len(name) && (name[n] < '0' || name[n] > '9'):
		n-- // the last capital begins the next word
	}
	return strings.ToLower(name[:n]) + name[n:]
}

// claim takes the first of the names that is free, or numbers the last one.
func (n names) claim(wanted []string) string {
	for _, name := range wanted {
		if n.free(name) {
			n.take(name)
			return name
		}
	}
	last := wanted[len(wanted)-1]
	for i := 2; ; i++ {
		if name := last + strconv.Itoa(i); n.free(name) {
			n.take(name)
			return name
		}
	}
}

// take reserves a type's name and those of its functions.
func (n names) take(name string) {
	for _, prefix := range ofTypes {
		n[prefix+name] = true
	}
}

func (n names) free(name string) bool {
	return !slices.ContainsFunc(ofTypes, func(prefix string) bool { return n[prefix+name] })
}

// ofTypes are what a type's name and those of its functions begin with.
var ofTypes = []string{"", "New", "encode", "decode"}

// namePatterns names the variables that hold the patterns of a struct.
func namePatterns(names names, n *Named) {
	claim := func(p *Pattern, base string) {
		if p == nil || p.Var != "" {
			return
		}
		p.Var = lower(n.Name) + base + "Pattern"
		for k := 2; names[p.Var]; k++ {
			p.Var = fmt.Sprintf("%s%sPattern%d", lower(n.Name), base, k)
		}
		names[p.Var] = true
	}
	name := func(t *Type, base string) {
		for ; t != nil; t, base = t.Elem, base+"Item" {
			claim(t.Pattern, base)
			claim(t.Keys, base+"Name")
		}
	}
	for base, t := range n.Parts() {
		name(t, base)
	}
	for _, m := range n.Matching {
		if m.Type == nil {
			claim(m.Pattern, "Forbidden")
		} else {
			claim(m.Pattern, m.Name+"Name")
		}
	}
}

// nameUnion takes the names that a union needs beside its own.
func nameUnion(names names, n *Named) {
	switch {
	case n.Union == nil:
	case n.Union.Raw:
		for _, branch := range n.Union.Branches {
			names[n.Name+"From"+branch.Name] = true
		}
	default:
		n.Union.Unknown = names.claim([]string{"Unknown" + n.Name})
	}
}

// nameRules names the variables that hold the rules of a struct and of its
// members.
func nameRules(names names, n *Named) {
	name := func(r *Rules, base string) {
		if r == nil || r.Var != "" {
			return
		}
		r.Var = lower(n.Name) + base + "Rules"
		for k := 2; names[r.Var]; k++ {
			r.Var = fmt.Sprintf("%s%sRules%d", lower(n.Name), base, k)
		}
		names[r.Var] = true
	}
	name(n.Rules, "")
	for base, t := range n.Parts() {
		for ; t != nil; t, base = t.Elem, base+"Item" {
			name(t.Rules, base)
		}
	}
}

// fieldNames are the names of one struct's fields and methods.
type fieldNames map[string]bool

func newFieldNames() fieldNames {
	return fieldNames{"MarshalJSON": true, "UnmarshalJSON": true, "Validate": true, "NewRow": true, "Unknown": true, "Additional": true}
}

// field is the Go name of a member: by the rules of goname, followed by Field
// where a method has that name, or by a number where an earlier field has. One
// with a default has an accessor, whose name must be free too.
func (n fieldNames) field(name string, hasDefault bool) string {
	base := goname.Exported(name)
	if name == "" {
		base = "Empty"
	}
	if newFieldNames()[base] {
		base += "Field"
	}
	result := base
	for i := 2; n[result] || hasDefault && n[result+"OrDefault"]; i++ {
		result = base + strconv.Itoa(i)
	}
	n[result] = true
	if hasDefault {
		n[result+"OrDefault"] = true
	}
	return result
}

// nameOthers is where the members of a struct go that have no field.
func nameOthers(n *Named) {
	if n.Closed || n.Extra != nil {
		n.UnknownName = ""
	}
	if n.Extra == nil {
		n.ExtraName = ""
	}
}
