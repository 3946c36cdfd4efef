package finding

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report holds the findings of a command and prints them.
type Report struct {
	Findings []Finding
	// Summary is the last line of the text; "" for none.
	Summary string
	// Head holds further members for the formats json and sarif.
	Head map[string]any

	// Sources holds the source lines for Carets.
	Sources Sources
	// Carets adds to the text the source line of each place, and Color uses ANSI
	// colors; Color only with Carets.
	Carets, Color bool

	// Prefix is the path from the root of the repository to the project. The formats
	// sarif and github put it before file names.
	Prefix string
	// Version is that of outboxgen, for sarif.
	Version string
}

// Formats returns the formats of Write: text for people, json and sarif (2.1.0)
// for programs, and github for annotations by GitHub Actions.
func Formats() []string { return []string{"text", "json", "sarif", "github"} }

// Write writes the report in one of Formats. It fails if the writer fails or the
// format is unknown.
func (r Report) Write(w io.Writer, format string) error {
	var b bytes.Buffer
	switch format {
	case "text":
		r.text(&b)
	case "json":
		r.json(&b)
	case "sarif":
		r.sarif(&b)
	case "github":
		r.github(&b)
	default:
		return fmt.Errorf("unknown format %q; the formats are %s", format, strings.Join(Formats(), ", "))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}

// json writes one document: the members of Head, and the findings under the
// name findings, which is an array even when there are none.
func (r Report) json(b *bytes.Buffer) {
	document := map[string]any{"findings": append([]Finding{}, r.Findings...)}
	for name, value := range r.Head {
		document[name] = value
	}
	encode(b, document)
}

// encode writes a value as indented JSON. The values here are made of strings,
// numbers and booleans, so it cannot fail.
func encode(b *bytes.Buffer, value any) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		panic(err)
	}
}

type jsonPlace struct {
	File    string  `json:"file"`
	Line    int     `json:"line,omitempty"`
	Column  int     `json:"column,omitempty"`
	Pointer *string `json:"pointer,omitempty"`
}

// MarshalJSON encodes f as an object whose members are stable across releases.
func (f Finding) MarshalJSON() ([]byte, error) {
	out := f.details()
	out["id"], out["severity"], out["message"] = f.ID, f.Severity.String(), f.Message
	out["place"] = f.place(f.Pos, f.Pointer)
	if f.Hint != "" {
		out["hint"] = f.Hint
	}
	return json.Marshal(out)
}

// details returns the members that only some findings have.
func (f Finding) details() map[string]any {
	all := map[string]any{}
	if f.Old.Pos.File != "" {
		all["old"] = f.place(f.Old.Pos, f.Old.Pointer)
	}
	if f.Event != "" {
		all["event"] = f.Event
	}
	if f.Change.Direction != "" {
		all["direction"], all["compatible"] = f.Change.Direction, f.Change.Compatible
	}
	if f.Change.Level != "" {
		all["level"], all["policy"] = f.Change.Level, f.Change.Policy
	}
	return all
}

func (f Finding) place(pos Pos, pointer string) jsonPlace {
	p := jsonPlace{File: pos.File, Line: pos.Line, Column: pos.Col}
	if f.HasPointer {
		p.Pointer = &pointer
	}
	return p
}
