package naming

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// methodNames are the names of a struct's methods, and of fields that are not
// properties.
var methodNames = []string{"MarshalJSON", "UnmarshalJSON", "Validate", "NewRow", "Unknown", "Additional"}

// fieldNames are the names of one struct's fields and methods, as they look: see
// goname.Looks.
type fieldNames struct {
	taken map[string]bool
	next  map[numbered]int // the number from which on a name may be free
}

// numbered is a name that needs a number.
type numbered struct {
	base       string
	hasDefault bool
}

func newFieldNames(taken ...string) fieldNames {
	n := fieldNames{taken: map[string]bool{}, next: map[numbered]int{}}
	for _, name := range taken {
		n.taken[goname.Looks(name)] = true
	}
	return n
}

// field returns the Go name of a property: by the rules of goname, followed by Field if
// a method has that name, or by a number if an earlier field has it. A property with a
// default has an accessor, whose name must be free too.
func (n fieldNames) field(name string, hasDefault bool) string {
	base := goname.Exported(name)
	if name == "" {
		base = "Empty"
	}
	if slices.Contains(methodNames, base) {
		base += "Field"
	}
	result, of := base, numbered{base, hasDefault}
	i := max(n.next[of], 2)
	for ; n.taken[goname.Looks(result)] || hasDefault && n.taken[goname.Looks(result+"OrDefault")]; i++ {
		result = base + strconv.Itoa(i)
	}
	n.next[of] = i
	n.taken[goname.Looks(result)] = true
	if hasDefault {
		n.taken[goname.Looks(result+"OrDefault")] = true
	}
	return result
}

// nameFields names the fields of a struct, and the fields for undeclared properties.
func nameFields(n *ir.Named) {
	names := newFieldNames(methodNames...)
	if n.Tuple {
		names.taken["Rest"] = true
	}
	for _, f := range n.Fields {
		f.Name = names.field(cmp.Or(f.Word, f.JSON), f.Default != nil)
	}
	for _, m := range n.Matching {
		if m.Type != nil {
			m.Name = names.field(m.Word, false)
		}
	}
	n.UnknownName, n.ExtraName = "Unknown", "Additional"
	if n.Tuple {
		n.UnknownName, n.ExtraName = "Rest", "Rest"
	}
	if n.Closed || n.Extra != nil {
		n.UnknownName = ""
	}
	if n.Extra == nil {
		n.ExtraName = ""
	}
	n.SpellingName = spellingName(n, names)
}

// nameBranches names the methods of a raw union.
func nameBranches(n *ir.Named) {
	if n.Union == nil || !n.Union.Raw {
		return
	}
	names := newFieldNames()
	for _, branch := range n.Union.Branches {
		branch.Name = names.field(branch.Word, false)
	}
}
