package naming

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// nameConstants names the values of an enum after it. A value that begins with the name
// of the type, like STATUS_OPEN of Status, is named without it.
func nameConstants(names names, r *Claim) {
	n := r.Named
	words, taken := make([]string, len(n.Enum)), map[string]bool{}
	for i, v := range n.Enum {
		words[i] = constantWord(n.Base, v)
		taken[words[i]] = true
	}
	for i, word := range words {
		if short := withoutType(word, typeNames(r)...); !taken[short] && (n.Base == ir.String || n.Enum[i].Given != "") {
			taken[short] = true
			word = short
		}
		n.Enum[i].Name = names.unused(n.Name + word)
	}
}

// ConstantWords returns the part of a constant's name after the type's name for each
// value of a schema's enum, without the number that tells equal ones apart. Strings only.
func ConstantWords(s *schema.Schema) []string {
	words := make([]string, len(s.Enum))
	for i, v := range s.Enum {
		if v.Kind == schema.String {
			words[i] = constantWord(ir.String, ir.EnumValue{Name: v.Text, Given: s.EnumNames[v.Canonical()]})
		}
	}
	return words
}

// constantWord returns the part of a constant's name after the type's name.
func constantWord(base ir.Kind, v ir.EnumValue) string {
	if v.Given != "" {
		if upper := strings.ToUpper(v.Given); v.Given != upper && v.Given != strings.ToLower(v.Given) {
			return goname.Title(v.Given) // in camel case, from a program
		}
		return goname.Exported(v.Given)
	}
	word := goname.Exported(v.Name)
	switch {
	case v.Name == "":
		return "Empty"
	case base == ir.Int || base == ir.Float:
		return ir.NumberWord(v.Literal)
	case !strings.HasPrefix(v.Name, "X") && strings.HasPrefix(word, "X") && len(word) > 1 && (word[1] < 'A' || word[1] > 'Z') && (v.Name[0] < 'a' || v.Name[0] > 'z'):
		return word[1:] // after the type's name it may begin with a digit
	}
	return word
}

// withoutType returns word without the first of names that it begins with, if a word or
// a number is left.
func withoutType(word string, names ...string) string {
	for _, name := range names {
		if rest, ok := strings.CutPrefix(word, name); ok && rest != "" && (rest[0] >= 'A' && rest[0] <= 'Z' || rest[0] >= '0' && rest[0] <= '9') {
			return rest
		}
	}
	return word
}

// typeNames returns the names that values may begin with: the name of the type, its
// name in the schema, and that of the union whose strings it lists.
func typeNames(r *Claim) []string {
	all := []string{r.Named.Name, r.wanted[0]}
	for _, union := range r.Named.Unions {
		all = append(all, union.Name)
		if union.Parent != nil {
			all = append(all, strings.TrimPrefix(union.Name, union.Parent.Name))
		}
	}
	return all
}
