package shape

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// word returns the word for a branch without title and definition, which follows the
// name of its union.
func (u *union) word(br *branch) string {
	alone := 0
	for _, other := range u.branches {
		if other.JSON == br.JSON {
			alone++
		}
	}
	switch {
	case len(br.Tags) > 0 && br.Tags[0].Kind == schema.String:
		return br.Tags[0].Text
	case len(br.Tags) > 0 && br.Tags[0].Kind == schema.Bool:
		word := u.ir.Tag[len(u.ir.Tag)-1]
		if br.Tags[0].Bool {
			return word
		}
		return "not_" + word
	case len(br.Tags) > 0:
		return u.ir.Tag[len(u.ir.Tag)-1] + "_" + br.Tags[0].Text
	case alone > 1 && br.Member != "":
		return br.Member
	}
	if alone > 1 && br.form.Kinds.Has(normal.Object) && br.form.Union == nil && !br.form.Listed {
		for _, name := range requiredOf(br.form) {
			if !slices.ContainsFunc(u.branches, func(o *branch) bool { return o != br && slices.Contains(requiredOf(o.form), name) }) {
				return name
			}
		}
	}
	switch br.JSON {
	case "string":
		return textWord(br.form)
	case "array":
		return "list"
	case "boolean":
		return "bool"
	case "":
		return "value"
	}
	return br.JSON
}

// requiredOf returns the properties that every object of a form has, in the order of
// required.
func requiredOf(f *normal.Form) []string {
	var names []string
	for _, a := range f.Atoms {
		for _, r := range a.Required {
			if !slices.Contains(names, r.Text) {
				names = append(names, r.Text)
			}
		}
	}
	return names
}

// textWord returns the word for a string branch: its format, if that describes the
// string.
func textWord(f *normal.Form) string {
	if f.Text == nil {
		return "text"
	}
	format := ""
	if len(f.Text.Formats) > 0 {
		format = f.Text.Formats[0].Name
	}
	switch format {
	case "date-time":
		return "time"
	case "time":
		return "time_of_day"
	case "byte":
		return "bytes"
	case "", "password", "binary", "char", "regex":
	default:
		return format
	}
	if f.Text.Encoding != "" {
		return "bytes"
	}
	return "text"
}

// titled returns the name of a branch from its title or definition, or "".
func (br *branch) titled() string {
	switch {
	case br.kind == "" && br.from.Title != "":
		return br.from.Title
	case br.ref != nil && br.ref.Title != "":
		return br.ref.Title
	case br.ref != nil:
		return naming.RefName(br.ref)
	}
	return ""
}

// describe returns the branches for a message: their names, or their places.
func (u *union) describe(branches ...*branch) string {
	var words []string
	for _, br := range branches {
		word := br.titled()
		if word == "" {
			word = "branch " + strconv.Itoa(slices.Index(u.branches, br)+1)
		}
		words = append(words, word)
	}
	return strings.Join(words, " and ")
}
