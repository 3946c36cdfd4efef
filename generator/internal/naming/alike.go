package naming

import (
	"cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

// alike has the first Go name of each look, and what in the schema it is for.
type alike map[string]struct{ name, source string }

// add adds a Go name. It returns the source of an earlier one that looks the same but
// differs.
func (a alike) add(name, source string) (other string, found bool) {
	look := goname.Looks(name)
	first, ok := a[look]
	if !ok {
		first.name, first.source = name, source
		a[look] = first
	}
	return first.source, first.name != name
}

// warnAlikeFields warns of properties whose Go names would look the same although they
// differ.
func (a *assigner) warnAlikeFields(n *ir.Named) {
	names := alike{}
	for _, f := range n.Fields {
		if other, ok := names.add(goname.Exported(cmp.Or(f.Word, f.JSON)), f.JSON); ok {
			a.list.Warnf(f.Pos, "names-look-alike", "the Go names of the properties %s and %s look the same, so the field of the second is called %s",
				finding.Quote(other), finding.Quote(f.JSON), f.Name).
				SetHint("write both names with letters of one script")
		}
	}
}

// warnAlikeConstants warns of values of an enum whose Go names would look the same
// although they differ. words and sources have the ends of the names and the values.
func (a *assigner) warnAlikeConstants(n *ir.Named, words, sources []string) {
	names := alike{}
	for i, word := range words {
		if other, ok := names.add(word, sources[i]); ok {
			a.list.Warnf(n.Schema.Pos, "names-look-alike", "the Go names of the values %s and %s look the same, so the constant of the second is called %s",
				finding.Quote(other), finding.Quote(sources[i]), n.Enum[i].Name).
				SetHint("write both values with letters of one script")
		}
	}
}
