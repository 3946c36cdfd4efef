package naming

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// Assign names everything in pkg, and puts its types into files. claims has every type,
// in the order of discovery; taken has the declarations in hand-written files of the
// package.
func Assign(scheme *Scheme, pkg *ir.Package, claims []*Claim, taken Declared, list *finding.List) {
	a := &assigner{scheme: scheme, claims: claims, list: list}
	a.checkNames(pkg)
	names := a.names(pkg)
	a.assignFiles(pkg)
	for _, f := range pkg.Files {
		shareRules(names, f)
	}
	if c := scheme.project.Config; c != nil && c.Unknown == "drop" {
		dropUnknown(pkg)
	}
	a.checkDeclared(pkg, taken)
}

// assigner gives names.
type assigner struct {
	scheme *Scheme
	claims []*Claim
	list   *finding.List
	home   map[*ir.Named]*ir.File
}

// names names every type, the strongest claim first. It returns all names that are
// used.
func (a *assigner) names(pkg *ir.Package) names {
	a.reach(pkg)
	names := newNames(pkg)
	claims := slices.Clone(a.claims)
	slices.SortStableFunc(claims, func(x, y *Claim) int {
		return cmp.Or(
			cmp.Compare(rank(x), rank(y)),
			cmp.Compare(x.version, y.version),
			cmp.Compare(x.doc.Path, y.doc.Path),
			cmp.Compare(x.Named.Schema.Pointer, y.Named.Schema.Pointer),
		)
	})
	twins := twins(claims)
	contested := a.contested(claims, twins)
	for len(claims) > 0 {
		var later []*Claim
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
			if r.Named.Name = r.Fixed; r.Fixed == "" {
				r.Named.Name = names.claim(wanted)
			}
			a.nameConstants(names, r)
			nameUnion(names, r.Named)
		}
		if len(later) == len(claims) {
			break // cannot happen: parents are found before their parts
		}
		claims = later
	}
	for _, r := range a.claims {
		if keeper := contested[r]; keeper != nil && !a.newer(r, keeper) {
			a.warnContested(r, keeper)
		}
	}
	for _, r := range a.claims {
		nameFields(r.Named)
		nameBranches(r.Named)
		namePatterns(names, r.Named)
		nameRules(names, r.Named)
		a.warnAlikeFields(r.Named)
	}
	for _, r := range a.claims {
		r.Named.Place = place(r.Named.Schema)
		r.Named.PlacesVar = names.unused(ir.Unexported(r.Named.Name) + "Places")
	}
	return names
}

// contested finds the types whose short name goes to another type, each with the type
// that gets it: see keeper.
func (a *assigner) contested(claims []*Claim, twins map[*Claim]bool) map[*Claim]*Claim {
	contested := map[*Claim]*Claim{}
	for _, all := range wanting(claims) {
		all = slices.DeleteFunc(all, func(r *Claim) bool { return twins[r] }) // these have their own names
		for keeper := a.keeper(all); len(all) > 0; all = all[1:] {
			if all[0] != keeper {
				contested[all[0]] = keeper
			}
		}
	}
	return contested
}

// keeper returns the type that gets the short name which several types want: the
// package documentation says which, and why. all is in the order of claims.
func (a *assigner) keeper(all []*Claim) *Claim {
	var keeper *Claim
	for _, r := range all {
		switch {
		case slices.ContainsFunc(all, func(o *Claim) bool { return a.newer(r, o) }):
		case keeper == nil, len(r.events) > len(keeper.events) && r.library == keeper.library:
			keeper = r
		}
	}
	return keeper
}

// wanting returns the types that want each short name.
func wanting(claims []*Claim) map[string][]*Claim {
	wanting := map[string][]*Claim{}
	for _, r := range claims {
		if r.Fixed == "" && r.parent == nil && r.joins == nil {
			wanting[r.wanted[0]] = append(wanting[r.wanted[0]], r)
		}
	}
	return wanting
}

// twins finds the definitions of one file that want the same short name and have a
// longer unique one: that of their definition if the titles are the same, or with the
// prefix that was removed.
func twins(claims []*Claim) map[*Claim]bool {
	twins := map[*Claim]bool{}
	for _, all := range wanting(claims) {
		for _, r := range all {
			twins[r] = r.joins == nil && r.full != "" && slices.ContainsFunc(all, func(o *Claim) bool { return o != r && o.doc == r.doc })
		}
	}
	return twins
}

// newer reports whether o belongs to a later version of the event that r
// belongs to.
func (a *assigner) newer(o, r *Claim) bool {
	return o.version > r.version && r.version > 0 && a.base(o) == a.base(r)
}

// base returns the name of the event whose file contains r, without its version.
func (a *assigner) base(r *Claim) string {
	return strings.TrimSuffix(a.scheme.owners[r.doc], "V"+strconv.Itoa(r.version))
}

// warnContested warns of a name that is longer than the schema suggests.
func (a *assigner) warnContested(r, keeper *Claim) {
	pos := r.Named.Schema.Pos
	if r.Named.Schema.Title != "" {
		pos = r.Named.Schema.At["title"]
	}
	a.list.Warnf(pos, "name-contested",
		"the Go name %s belongs to another schema, at %s, so this type is called %s", r.wanted[0], keeper.Named.Schema.Pos, r.Named.Name).
		SetHint(fmt.Sprintf("set title: %s here to fix its name, or let both refer to one definition", r.Named.Name))
}

// rank orders claims: events, libraries, definitions of events, inline types.
func rank(r *Claim) int {
	switch {
	case r.Fixed != "":
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

// reach records the events that use a type.
func (a *assigner) reach(pkg *ir.Package) {
	requests := map[*ir.Named]*Claim{}
	for _, r := range a.claims {
		requests[r.Named] = r
	}
	for _, e := range pkg.Events {
		seen := map[*ir.Named]bool{}
		var visit func(n *ir.Named)
		visit = func(n *ir.Named) {
			if seen[n] || requests[n] == nil {
				return
			}
			seen[n] = true
			requests[n].events = append(requests[n].events, e.Event)
			for _, t := range n.Parts() {
				visit(t.Named)
			}
			if n.Union != nil {
				for _, branch := range n.Union.Branches {
					for t := branch.Type; t != nil; t = t.Elem {
						visit(t.Named)
					}
					visit(branch.Named)
				}
			}
		}
		visit(e.Data)
	}
}
