package finding

import (
	"bytes"
	"fmt"
	"path"
	"strings"
)

// github writes the findings as workflow commands, which GitHub Actions shows
// as annotations in the pull request.
func (r Report) github(b *bytes.Buffer) {
	for _, f := range r.Findings {
		command := [...]string{"error", "warning", "notice"}[f.Severity]
		var properties []string
		if f.Pos.File != "" {
			properties = append(properties, "file="+property(path.Join(r.Prefix, f.Pos.File)))
		}
		if f.Pos.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d,col=%d", f.Pos.Line, f.Pos.Col))
		}
		properties = append(properties, "title="+property(f.ID))
		fmt.Fprintf(b, "::%s %s::%s\n", command, strings.Join(properties, ","), data(message(f)))
	}
}

// data escapes the message of a workflow command, property the value of one of
// its properties, as GitHub's own toolkit does.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(Printable(s))
}
