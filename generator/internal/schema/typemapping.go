package schema

import (
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// TypeMapping overrides the Go type of a format, of plain numbers or of a definition.
type TypeMapping struct {
	// Match is a format, number or integer, or a definition: the path of its file from
	// the project file with a #fragment, or a reference as the files write it.
	Match string
	Type  string // import/path.Name, or a basic Go type
	Pos   finding.Pos
}

// Refers reports whether the mapping is for the definition that s refers to.
func (m TypeMapping) Refers(s *Schema) bool {
	return s.Ref != nil && (s.Ref.Text == m.Match || s.Ref.Target != nil && s.Ref.Target.Place() == m.place())
}

// HasFormat reports whether the mapping is for the format of s.
func (m TypeMapping) HasFormat(s *Schema) bool { return s.Format != "" && s.Format == m.Match }

// IsNumeric reports whether s is a plain number or integer, and the mapping is for that
// JSON type.
func (m TypeMapping) IsNumeric(s *Schema) bool {
	if m.Match != "number" && m.Match != "integer" || s.Format != "" || s.Const != nil || len(s.Enum) > 0 {
		return false
	}
	return slices.Contains(s.Types, m.Match) && !slices.ContainsFunc(s.Types, func(t string) bool { return t != m.Match && t != "null" })
}

// place returns Match as a place from the project file.
func (m TypeMapping) place() string {
	file, fragment, _ := strings.Cut(m.Match, "#")
	if file == "" {
		return ""
	}
	return path.Clean(file) + "#" + fragment
}

// Place returns the path of the schema's file from the project file, # and a JSON Pointer.
func (s *Schema) Place() string { return s.Doc.Path + "#" + s.Pointer }
