package finding

import (
	"bytes"
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
