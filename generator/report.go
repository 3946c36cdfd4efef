package generator

import (
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// ReportOptions say how findings are written. The zero value is for logs, editors and
// scripts: one line for each finding.
type ReportOptions struct {
	// Carets adds the source line, with a caret under the place.
	Carets bool
	// Color uses ANSI colors. It has an effect only with Carets.
	Color bool
}

// Report writes the findings in order. It returns the writer's error.
func (r *Result) Report(w io.Writer, opts ReportOptions) error {
	return finding.Report{Findings: r.Findings, Sources: r.sources, Carets: opts.Carets, Color: opts.Color}.Write(w, "text")
}

// sources returns the files that findings point to: those that the loader read, and
// those that only sqlc or the comparison with the disk read. A file that cannot be read
// is left out; its findings are written without source line.
func (l *loaded) sources() finding.Sources {
	sources := maps.Clone(l.project.Sources)
	if sources == nil {
		sources = finding.Sources{}
	}
	for _, f := range l.list.Sorted() {
		if _, ok := sources[f.Pos.File]; ok || f.Pos.File == "" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(f.Pos.File)))
		if err == nil {
			sources[f.Pos.File] = content
		}
	}
	return sources
}
