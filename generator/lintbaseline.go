package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// lint adds what lint finds and the project does not accept. loaded are the findings of
// the loader and the generator, whose warnings a project can accept too.
func (c *check) lint(loaded []finding.Finding) error {
	found := slices.DeleteFunc(lint.Lint(c.project, loaded...), ofStandard)
	file := c.project.Config.Lint.Baseline
	switch {
	case file == "" && c.cfg.WriteBaseline:
		return errors.New("no file to write: name it in outboxgen.yaml, as in lint: {baseline: outboxgen.lint}")
	case file == "", c.broken && c.cfg.WriteBaseline: // what lint finds in a broken project is not all
		c.add(found...)
		return nil
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return fmt.Errorf("open the project: %w", err)
	}
	defer root.Close() //nolint:errcheck // a write has its own error
	if c.cfg.WriteBaseline {
		if err := writeBaseline(root, file, lintBaseline(found)); err != nil {
			return err
		}
	}
	accepted, err := root.ReadFile(filepath.FromSlash(file))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lint.baseline names %s, and there is no such file; write it with outboxgen check --write-baseline", file)
	}
	if err != nil {
		return fmt.Errorf("read the accepted findings: %w", err)
	}
	c.add(notAccepted(found, string(accepted))...)
	return nil
}

// writeBaseline writes the file, unless a file of another kind is there.
func writeBaseline(root *os.Root, file string, content []byte) error {
	title, _, _ := strings.Cut(baselineHead, "\n")
	there, err := root.ReadFile(filepath.FromSlash(file))
	if err == nil && len(there) > 0 && !strings.HasPrefix(string(there), title) {
		return fmt.Errorf("lint.baseline names %s, which is another file: it does not begin with %q; nothing was written; name a file of its own, as in lint: {baseline: outboxgen.lint}", file, title)
	}
	if err := root.WriteFile(filepath.FromSlash(file), content, 0o644); err != nil {
		return fmt.Errorf("write the accepted findings: %w", err)
	}
	return nil
}

// baselineHead explains the file to its readers.
const baselineHead = "# Findings of lint that are accepted. outboxgen check reports only others.\n" +
	"# Written by outboxgen check --write-baseline. Delete a line to see its finding again.\n"

// baselineLine names a finding by its rule and place, without a line number, so that
// other changes of the file do not matter.
func baselineLine(f finding.Finding) string {
	line := f.ID + " " + f.Pos.File
	if f.HasPointer {
		line += "#" + f.Pointer
	}
	return strings.NewReplacer("\n", " ", "\r", " ").Replace(line)
}

// lintBaseline is the content of the file that accepts the findings: a line for each.
func lintBaseline(found []finding.Finding) []byte {
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = baselineLine(f) + "\n"
	}
	slices.Sort(lines)
	return []byte(baselineHead + strings.Join(lines, ""))
}

// notAccepted returns the findings that no line of the file accepts. A line accepts one
// finding.
func notAccepted(found []finding.Finding, file string) []finding.Finding {
	left := map[string]int{}
	for line := range strings.Lines(file) {
		left[strings.TrimSpace(line)]++
	}
	return slices.DeleteFunc(found, func(f finding.Finding) bool {
		line := baselineLine(f)
		left[line]--
		return left[line] >= 0
	})
}
