package generator

import (
	"io"
	"maps"
	"os"
	"path/filepath"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// ReportOptions says how findings are written. The zero value is for logs,
// editors and scripts: one line each.
type ReportOptions struct {
	// Carets adds the source line with a caret below the place.
	Carets bool
	// Color uses ANSI colors; only with Carets.
	Color bool
}

// Report writes the findings, in order. The error is the writer's.
func (r *Result) Report(w io.Writer, opts ReportOptions) error {
	return finding.Report{Findings: r.Findings, Sources: r.sources, Carets: opts.Carets, Color: opts.Color}.Write(w, "text")
}

// sources holds the files that findings point into: those that the loader read,
// and those that only sqlc or the comparison with the disk looked at. What
// cannot be read is left out: the finding is still written, without its source
// line.
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
