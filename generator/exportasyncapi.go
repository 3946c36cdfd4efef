package generator

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// AsyncAPIOptions says how a document of AsyncAPI is written.
type AsyncAPIOptions struct {
	// File is the document's file; "" if it is not written to one.
	File string
	// JSON selects JSON instead of YAML.
	JSON bool
	// Version is the version of the document, info.version. Default: 1.0.0.
	Version string
}

// ExportAsyncAPI returns one document of AsyncAPI 3.0 that describes the project's
// events as consumers read them: the values of records with their envelopes, headers and
// keys. The errors are those of Generate.
func ExportAsyncAPI(cfg Config, o AsyncAPIOptions) (*Exported, error) {
	l, err := load(cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	if l.list.HasErrors() {
		return &Exported{Result: *l.result()}, nil
	}
	events := slices.Clone(l.project.Events)
	slices.SortFunc(events, func(x, y *schema.Event) int { return strings.Compare(x.Type, y.Type) })
	c := l.project.Config
	service := bundle.Service{
		Name: c.Service, Version: cmp.Or(o.Version, "1.0.0"), Owner: c.About.Owner, Description: c.About.Description, Strict: c.Validation != schema.SpecValidation,
	}
	content, list, err := bundle.AsyncAPI(service, events)
	if err == nil && !o.JSON {
		content, err = bundle.YAML(content)
	}
	if err != nil {
		return nil, fmt.Errorf("export the events: %w", err)
	}
	l.add(list)
	e := &Exported{Result: *l.result()}
	e.Dir = filepath.Dir(o.File)
	e.Files = []File{{Path: filepath.Base(o.File), Content: content}}
	old, err := claimDocument("export asyncapi", o.File, schema.ExportedAsyncAPI)
	if other, ok := schema.ExportedService(old); err == nil && ok && other != service.Name {
		err = fmt.Errorf("export asyncapi needs to write %s, but the existing file is the export of the service %q; "+
			"export to another file, or remove that one if the service is now called %q", o.File, other, service.Name)
	}
	return e, err
}

// claimDocument returns what is in the file of an export; nil if there is no such file.
// A file that does not have the mark of this command is an error. A pipe or a device is
// not read: that would wait for ever.
func claimDocument(command, file, mark string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, nil
	}
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("inspect the file of the export: %w", err)
	case !bytes.Contains(old, []byte(mark)):
		return nil, fmt.Errorf("%s needs to write %s, but did not generate the existing file; move it, or export to another file", command, file)
	}
	return old, nil
}
