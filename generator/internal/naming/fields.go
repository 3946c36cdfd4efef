package naming

import (
	"strconv"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

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

// nameFields names the fields of a struct, and says where the members go that
// have none.
func nameFields(n *ir.Named) {
	names := newFieldNames()
	if n.Tuple {
		names["Rest"] = true
	}
	for _, f := range n.Fields {
		word := f.JSON
		if f.Word != "" {
			word = f.Word
		}
		f.Name = names.field(word, f.Default != nil)
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

// nameBranches gives the methods of a raw union their names.
func nameBranches(n *ir.Named) {
	if n.Union == nil || !n.Union.Raw {
		return
	}
	names := fieldNames{}
	for _, branch := range n.Union.Branches {
		branch.Name = names.field(branch.Word, false)
	}
}
