package finding

import (
	"bytes"
	"encoding/json"
)

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
