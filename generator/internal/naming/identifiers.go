package naming

import (
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// names are the identifiers of the package, as they look: see goname.Looks.
type names map[string]bool

// reserve takes names as they are.
func (n names) reserve(all ...string) {
	for _, name := range all {
		n[goname.Looks(name)] = true
	}
}

func newNames(pkg *ir.Package) names {
	n := names{"Service": true, "InsertAll": true, "CancelDelayed": true, "insertRows": true, "nullable": true}
	for _, e := range pkg.Events {
		for _, prefix := range functions {
			n.reserve(prefix + e.GoName)
		}
		if e.Tombstone {
			n.reserve(tombstoneNames(e.GoName)...)
		}
		n.take(e.GoName)
		n.reserve(ir.EventVar(e.GoName))
	}
	return n
}

// functions are the prefixes of an event's functions.
var functions = []string{"Insert", "Queue", "On", "Decode", "New"}

// tombstoneNames are the names of the type and the functions for the tombstones of an
// event.
func tombstoneNames(event string) []string {
	name := event + "Tombstone"
	return []string{name, "Insert" + name, "Queue" + name, "On" + name}
}

// checkNames reports events with the name of another event's function, and events whose
// names are too similar for separate files.
func (a *assigner) checkNames(pkg *ir.Package) {
	events, files := map[string]*ir.Event{}, map[string]*ir.Event{}
	for _, e := range pkg.Events {
		events[e.GoName] = e
		file := eventFile(e.Event)
		if other := files[file]; other != nil {
			a.list.Errorf(e.Pos, "file-shared",
				"the Go names %s and %s, of the event at %s, need the same file name, %s", e.GoName, other.GoName, other.Pos, file).
				SetHint("change the title of one of them")
		}
		files[file] = e
	}
	for _, e := range pkg.Events {
		for _, prefix := range functions {
			if other := events[prefix+e.GoName]; other != nil {
				a.list.Errorf(other.Pos, "name-taken", "the Go name %s is also that of a function for the event at %s", other.GoName, e.Pos).
					SetHint("change the title of one of them")
			}
		}
	}
}

// claim takes the first of the names that is free, or adds a number to the last one.
func (n names) claim(wanted []string) string {
	for _, name := range wanted {
		if n.free(name) {
			n.take(name)
			return name
		}
	}
	last := wanted[len(wanted)-1]
	name := last
	for i := 2; !n.free(name); i++ {
		name = last + strconv.Itoa(i)
	}
	n.take(name)
	return name
}

// unused takes a name, or adds a number to it if it is not free.
func (n names) unused(base string) string {
	name := base
	for i := 2; n[goname.Looks(name)]; i++ {
		name = base + strconv.Itoa(i)
	}
	n.reserve(name)
	return name
}

// take reserves a type's name and those of its functions.
func (n names) take(name string) {
	for _, prefix := range ofTypes {
		n.reserve(prefix + name)
	}
}

func (n names) free(name string) bool {
	return !slices.ContainsFunc(ofTypes, func(prefix string) bool { return n[goname.Looks(prefix+name)] })
}

// ofTypes are the prefixes of a type's name and its functions.
var ofTypes = []string{"", "New", "encode", "decode"}

// namePatterns names the variables that hold the patterns of a struct.
func namePatterns(names names, n *ir.Named) {
	claim := func(p *ir.Pattern, base string) {
		if p == nil || p.Var != "" {
			return
		}
		p.Var = names.unused(ir.Unexported(n.Name) + base + "Pattern")
	}
	for base, t := range n.Parts() {
		claim(t.Pattern, base)
		claim(t.Keys, base+"Name")
	}
	for _, m := range n.Matching {
		if m.Type == nil {
			claim(m.Pattern, "Forbidden")
		} else {
			claim(m.Pattern, m.Name+"Name")
		}
	}
}

// nameUnion takes the names that a union needs besides its own.
func nameUnion(names names, n *ir.Named) {
	switch {
	case n.Union == nil:
	case n.Union.Raw:
		for _, branch := range n.Union.Branches {
			names.reserve(n.Name + "From" + branch.Name)
		}
	default:
		n.Union.Unknown = names.claim([]string{"Unknown" + n.Name})
	}
}

// nameRules names the variables that hold the rules of a struct and of its
// members.
func nameRules(names names, n *ir.Named) {
	name := func(r *ir.Rules, base string) {
		if r == nil || r.Var != "" {
			return
		}
		r.Var = names.unused(ir.Unexported(n.Name) + base + "Rules")
	}
	name(n.Rules, "")
	for base, t := range n.Parts() {
		name(t.Rules, base)
	}
}
