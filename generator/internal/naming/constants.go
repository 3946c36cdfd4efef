package naming

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// nameConstants names the values of an enum after it. A value that begins with the name
// of the type, like STATUS_OPEN of Status, is named without it.
func (a *assigner) nameConstants(names names, r *Claim) {
	n := r.Named
	words, sources, taken := make([]string, len(n.Enum)), make([]string, len(n.Enum)), map[string]bool{}
	for i, v := range n.Enum {
		words[i], sources[i] = constantWord(n.Base, v), cmp.Or(v.Given, v.Name)
		taken[words[i]] = true
	}
	for i, word := range words {
		if short := withoutType(word, typeNames(r)...); !taken[short] && (n.Base == ir.String || n.Enum[i].Given != "") {
			taken[short] = true
			word = short
		}
		n.Enum[i].Name = names.unused(n.Name + word)
	}
	a.warnAlikeConstants(n, words, sources)
}

// ConstantEnds returns how the name of the constant ends for each value of a schema's
// enum: what follows the name of the type, as far as the schema alone says that name. It
// is "" for a value that is no string and has no given name: such a constant always has
// the same value.
func ConstantEnds(s *schema.Schema) []string {
	words, taken := make([]string, len(s.Enum)), map[string]bool{}
	for i, v := range s.Enum {
		if given := s.EnumNames[v.Canonical()]; given != "" || v.Kind == schema.String {
			words[i] = constantWord(ir.String, ir.EnumValue{Name: v.Text, Given: given})
			taken[words[i]] = true
		}
	}
	types, count := typeWords(s), map[string]int{}
	for i, word := range words {
		if word == "" {
			continue
		}
		if short := behindType(word, types); !taken[short] {
			taken[short] = true
			word = short
		}
		look := goname.Looks(word)
		if words[i], count[look] = word, count[look]+1; count[look] > 1 {
			words[i] += strconv.Itoa(count[look])
		}
	}
	return words
}

// typeWords returns the words in which the name of the type of a schema ends: its title,
// and the name of its property, its definition or its file.
func typeWords(s *schema.Schema) []string {
	var all []string
	if s.Title != "" {
		all = append(all, goname.Title(s.Title))
	}
	part := ""
	tokens := strings.Split(s.Pointer, "/")
	for i := len(tokens) - 1; i > 0; i-- {
		switch tokens[i-1] {
		case "properties":
			word := schema.UnescapeToken(tokens[i])
			if part != "" {
				word = singular(word, part)
			}
			return append(all, goname.Exported(word))
		case "$defs", "definitions", "schemas":
			return append(all, goname.Exported(RefName(&schema.Schema{Doc: s.Doc, Pointer: strings.Join(tokens[:i+1], "/")})))
		}
		switch tokens[i] {
		case "items":
			part = "item"
		case "additionalProperties":
			part = "value"
		}
	}
	return append(all, goname.Exported(stem(s.Doc.Path)))
}

// behindType is withoutType for names of which only the ends are known: the name of a
// type may begin with that of the type around it.
func behindType(word string, ends []string) string {
	if short := withoutType(word, ends...); short != word {
		return short
	}
	for _, end := range ends {
		if i := strings.Index(word, end); end != "" && i > 0 {
			if short := withoutType(word[i:], end); short != word[i:] {
				return short
			}
		}
	}
	return word
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
	if r.word != "" {
		all = append(all, r.word)
	}
	for _, union := range r.Named.Unions {
		all = append(all, union.Name)
		if union.Parent != nil {
			all = append(all, strings.TrimPrefix(union.Name, union.Parent.Name))
		}
	}
	return all
}
