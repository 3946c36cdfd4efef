// Package report writes findings in the formats that people and programs read
// them in. Commands that find something hand it here, so that they all print
// alike.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// Finding is a finding with what a program wants to know beside its place.
type Finding struct {
	diag.Finding

	// Pointer is the JSON Pointer of the place; HasPointer tells the root, whose
	// pointer is empty, from a finding without one.
	Pointer    string
	HasPointer bool
	// Old is the place in the earlier version that a finding compares with; its
	// Pos is zero where there is none.
	Old Place
	// Details go into JSON as they are: what one kind of finding has and others
	// have not. Nil for none.
	Details map[string]any
}

// Place is a part of a file.
type Place struct {
	Pos     diag.Pos
	Pointer string
}

// TextOptions says how text looks.
type TextOptions struct {
	Sources diag.Sources // for the lines above the carets
	Carets  bool         // show the line of each place
	Color   bool         // with ANSI colors; only with Carets
}

// Text writes the findings for people: file:line:col: ID: message, with the
// place in the earlier version and the hint behind it.
func Text(w io.Writer, findings []Finding, opts TextOptions) error {
	plain := make([]diag.Finding, len(findings))
	for i, f := range findings {
		plain[i] = f.Finding
		plain[i].Message = f.ID + ": " + f.Message
		if f.Old.Pos.Line > 0 {
			plain[i].Message += " (" + f.Old.Pos.String() + ")"
		}
	}
	if !opts.Carets {
		return diag.Plain(w, plain)
	}
	return diag.Render(w, plain, opts.Sources, opts.Color)
}

type jsonPlace struct {
	File    string  `json:"file"`
	Line    int     `json:"line,omitempty"`
	Column  int     `json:"column,omitempty"`
	Pointer *string `json:"pointer,omitempty"`
}

// MarshalJSON is f as an object whose members are stable across releases.
func (f Finding) MarshalJSON() ([]byte, error) {
	out := map[string]any{
		"id": f.ID, "severity": f.Severity.String(), "message": f.Message,
		"place": f.place(f.Pos, f.Pointer),
	}
	if f.Hint != "" {
		out["hint"] = f.Hint
	}
	if f.Old.Pos.Line > 0 {
		out["old"] = f.place(f.Old.Pos, f.Old.Pointer)
	}
	for name, value := range f.Details {
		out[name] = value
	}
	return json.Marshal(out)
}

func (f Finding) place(pos diag.Pos, pointer string) jsonPlace {
	p := jsonPlace{File: pos.File, Line: pos.Line, Column: pos.Col}
	if f.HasPointer {
		p.Pointer = &pointer
	}
	return p
}

// JSON writes one document: the members of head, and the findings under the
// name findings, which is an array even when there are none.
func JSON(w io.Writer, head map[string]any, findings []Finding) error {
	document := map[string]any{"findings": append([]Finding{}, findings...)}
	for name, value := range head {
		document[name] = value
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}
