package ir

import (
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// branchName is what a branch without title and definition is called after the
// name of its union.
func (b *builder) branchName(u *Union, branch *Branch) string {
	alone := 0
	for _, other := range u.Branches {
		if other.JSON == branch.JSON {
			alone++
		}
	}
	switch {
	case len(branch.Tags) > 0 && branch.Tags[0].Kind == schema.String:
		return branch.Tags[0].Text
	case len(branch.Tags) > 0 && branch.Tags[0].Kind == schema.Bool:
		word := u.Tag[len(u.Tag)-1]
		if branch.Tags[0].Bool {
			return word
		}
		return "not_" + word
	case len(branch.Tags) > 0:
		return u.Tag[len(u.Tag)-1] + "_" + branch.Tags[0].Text
	case alone > 1 && branch.Member != "":
		return branch.Member
	}
	if alone > 1 && len(branch.said.Required) > 0 {
		for _, r := range branch.said.Required {
			if !slices.ContainsFunc(u.Branches, func(o *Branch) bool { return o != branch && requires(o.said, r.Text) }) {
				return r.Text
			}
		}
	}
	switch branch.JSON {
	case "string":
		return textName(branch.said)
	case "array":
		return "list"
	case "boolean":
		return "bool"
	case "":
		return "value"
	}
	return branch.JSON
}

// textName is what a string branch is called: after its format, where that says
// what the string is.
func textName(s *schema.Schema) string {
	switch s.Format {
	case "date-time":
		return "time"
	case "time":
		return "time_of_day"
	case "byte":
		return "bytes"
	case "", "password", "binary", "char", "regex":
	default:
		return s.Format
	}
	if s.ContentEncoding != "" {
		return "bytes"
	}
	return "text"
}

// nameBranches gives the methods of a raw union their names.
func (b *builder) nameBranches(u *Union) {
	names := fieldNames{}
	for _, branch := range u.Branches {
		word := b.branchName(u, branch)
		if title := titled(branch); title != "" {
			word = title
		}
		branch.Name = names.field(word, false)
	}
}

// titled is the name that a branch brings along, "" for none.
func titled(branch *Branch) string {
	switch {
	case branch.from.Title != "":
		return branch.from.Title
	case branch.ref != nil && branch.ref.Title != "":
		return branch.ref.Title
	case branch.ref != nil:
		return refName(branch.ref)
	}
	return ""
}

// describe names branches in a message: by what they bring along, else by their
// places.
func (u *Union) describe(branches ...*Branch) string {
	var words []string
	for _, branch := range branches {
		word := titled(branch)
		if word == "" {
			word = "branch " + strconv.Itoa(slices.Index(u.Branches, branch)+1)
		}
		words = append(words, word)
	}
	return strings.Join(words, " and ")
}
