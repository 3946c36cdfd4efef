package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Exported is the result of ExportJSONSchema, ExportAsyncAPI and ExportDebezium.
type Exported struct {
	// Result has one file for each event, or one for all of them. Its Orphans are the
	// files of an earlier export that are no longer written. Its Dir is the folder of
	// the export.
	Result
	// Types has the event types, in the order of Files; only for ExportJSONSchema.
	Types []string
}

// ExportJSONSchema returns the schema of each event as one self-contained JSON Schema
// document of 2020-12, for any validator and code generator. dir is the folder for the
// files; "" and a missing folder count as empty. The errors are those of Generate.
func ExportJSONSchema(cfg Config, dir string) (*Exported, error) {
	l, err := load(cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	e := &Exported{Result: *l.result()}
	if l.list.HasErrors() {
		return e, nil
	}
	e.Dir = dir
	events := slices.DeleteFunc(slices.Clone(l.project.Events), func(e *schema.Event) bool { return e.Consumed })
	slices.SortFunc(events, func(x, y *schema.Event) int { return strings.Compare(x.Type, y.Type) })
	names := exportNames(events)
	order := slices.SortedFunc(slices.Values(events), func(x, y *schema.Event) int { return strings.Compare(names[x], names[y]) })
	for _, event := range order {
		content, err := bundle.Document(event, schema.Exported)
		if err != nil {
			return nil, fmt.Errorf("export the schema: %w", err)
		}
		e.Files = append(e.Files, File{Path: names[event], Content: content})
		e.Types = append(e.Types, event.Type)
	}
	return e, e.claim(claim{command: "export jsonschema", folders: []string{""}, ours: func(name string, content []byte) bool {
		return path.Ext(name) == ".json" && bundle.Has(content, schema.Exported)
	}})
}

// exportNames returns the file name of each event: its type if that is valid on every
// file system and unique, else its Go name.
func exportNames(events []*schema.Event) map[*schema.Event]string {
	count := map[string]int{}
	for _, e := range events {
		count[strings.ToLower(e.Type)]++
	}
	names := map[*schema.Event]string{}
	for _, e := range events {
		name := e.Type
		if count[strings.ToLower(name)] > 1 || !plainFileName(name) {
			name = e.GoName
		}
		names[e] = name + ".json"
	}
	return names
}

// plainFileName reports whether a type can be a file name.
func plainFileName(text string) bool {
	const most = 200 // file systems take 255 bytes
	return len(text) <= most && !strings.HasPrefix(text, ".") && !strings.ContainsFunc(text, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
