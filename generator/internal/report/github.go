package report

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
)

// GitHub writes the findings as workflow commands, which GitHub Actions shows
// as annotations in the pull request.
func GitHub(w io.Writer, findings []Finding, opts Options) error {
	var b bytes.Buffer
	for _, f := range findings {
		command := [...]string{"error", "warning", "notice"}[f.Severity]
		var properties []string
		if f.Pos.File != "" {
			properties = append(properties, "file="+property(path.Join(opts.Prefix, f.Pos.File)))
		}
		if f.Pos.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d,col=%d", f.Pos.Line, f.Pos.Col))
		}
		properties = append(properties, "title="+property(f.ID))
		fmt.Fprintf(&b, "::%s %s::%s\n", command, strings.Join(properties, ","), data(message(f)))
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}

// data escapes the message of a workflow command, property the value of one of
// its properties, as GitHub's own toolkit does.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(diag.Printable(s))
}

// fence is a block of code in Markdown.
func fence(text, language string) string {
	return "```" + language + "\n" + strings.TrimRight(text, "\n") + "\n```"
}
