package generator

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// CompatConfig says what Compat compares.
type CompatConfig struct {
	// Dir is the folder that the files are relative to. Default: the current folder.
	// References in a file can reach files below Dir; in a file outside Dir, files
	// below that file's folder.
	Dir string
	// Earlier are the files with the earlier versions, the oldest first. At least one.
	// A level that is not transitive uses only the last.
	Earlier []string
	// New is the file with the schema to check.
	New string
	// Level is NONE, BACKWARD, FORWARD or FULL, or one of the last three followed by
	// _TRANSITIVE, in any case. Default: BACKWARD.
	Level string
	// Policy is generated, lenient or strict, in any case. Default: generated.
	Policy string
}

// CompatResult is the result of Compat.
type CompatResult struct {
	// Level and Policy are the level and the policy that were applied.
	Level, Policy string
	// Changes has every difference that a rule covers, by place in the new schema: an
	// error if it is incompatible, a warning if no rule compares what changed, else a
	// note.
	Changes []Finding

	sources finding.Sources
}

// Compatible reports whether all changes are compatible at the level.
func (r *CompatResult) Compatible() bool { return compat.Compatible(r.Changes) }

// Compat checks a change of a JSON Schema like Confluent's schema registry, without a
// project and without a registry. It returns an error, and no result, if an argument is
// invalid or a file cannot be read.
func Compat(cfg CompatConfig) (*CompatResult, error) {
	level, err := compat.ParseLevel(cmp.Or(cfg.Level, string(compat.Backward)))
	if err != nil {
		return nil, err
	}
	policy, err := compat.ParsePolicy(cmp.Or(cfg.Policy, string(compat.Generated)))
	if err != nil {
		return nil, err
	}
	result := &CompatResult{Level: string(level), Policy: string(policy), sources: finding.Sources{}}
	now, err := result.load(cfg.Dir, cfg.New)
	if err != nil {
		return nil, err
	}
	for i, name := range cfg.Earlier {
		old, err := result.load(cfg.Dir, name)
		if err != nil {
			return nil, err
		}
		if !level.Transitive() && i+1 < len(cfg.Earlier) {
			continue
		}
		for _, c := range compat.Check(now.root, []*schema.Schema{old.root}, level, policy) {
			c.Pos.File, c.Old.Pos.File = now.path(c.Pos.File), old.path(c.Old.Pos.File)
			result.Changes = append(result.Changes, c)
		}
	}
	compat.Sort(result.Changes)
	return result, nil
}

// compared is one schema to compare, and the place of its files.
type compared struct {
	root   *schema.Schema
	folder string // prefix of the paths of its files; empty: they are relative to the Dir of the config
}

func (c compared) path(file string) string { return path.Join(c.folder, file) }

// load reads one schema file.
func (r *CompatResult) load(dir, name string) (compared, error) {
	dir = cmp.Or(dir, ".")
	folder, file := dir, filepath.Clean(name)
	var c compared
	if !filepath.IsLocal(name) {
		var beside string
		beside, file = filepath.Split(filepath.Clean(name))
		c.folder = filepath.ToSlash(filepath.Clean(beside))
		folder = beside
		if !filepath.IsAbs(name) {
			folder = filepath.Join(dir, beside)
		}
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return c, fmt.Errorf("read the schema %s: %w", name, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	file = filepath.ToSlash(file)
	project, list, err := schema.LoadGuessing(func(dialect schema.Dialect) (*schema.Project, *finding.List, error) {
		return schema.LoadFile(root.FS(), file, dialect)
	})
	if err != nil {
		return c, err
	}
	for at, source := range project.Sources {
		r.sources[c.path(at)] = source
	}
	if d := project.Document(file); d != nil && !list.HasErrors() {
		c.root = d.Root
	}
	if c.root == nil {
		return c, unsound(name, c, list)
	}
	return c, nil
}

// unsound returns why a file cannot be compared.
func unsound(name string, c compared, list *finding.List) error {
	var lines []string
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			f.Pos.File = c.path(f.Pos.File)
			lines = append(lines, "  "+f.Line())
		}
	}
	const most = 20
	if len(lines) > most {
		lines = append(lines[:most], fmt.Sprintf("  and %d more", len(lines)-most))
	}
	if len(lines) == 0 {
		return fmt.Errorf("%s contains schemas but is not a schema itself: refer to one of them from another file", name)
	}
	return fmt.Errorf("%s cannot be compared:\n%s", name, strings.Join(lines, "\n"))
}

// CompatFormats returns the formats that Write knows.
func CompatFormats() []string { return []string{"text", "json"} }

// Write writes the result and the changes in one of CompatFormats. Without all it
// leaves out compatible changes, except those that no rule covers or that need advice. opts applies to
// text. It returns the writer's error, or one for an unknown format.
func (r *CompatResult) Write(w io.Writer, format string, all bool, opts ReportOptions) error {
	if !slices.Contains(CompatFormats(), format) {
		return fmt.Errorf("unknown format %q; the formats are %s", format, strings.Join(CompatFormats(), " and "))
	}
	var findings []Finding
	for _, c := range r.Changes {
		if c.Severity != Note || all || c.Change.Told() {
			findings = append(findings, c)
		}
	}
	return finding.Report{
		Findings: findings, Summary: r.verdict(), Head: map[string]any{"compatible": r.Compatible(), "level": r.Level, "policy": r.Policy},
		Sources: r.sources, Carets: opts.Carets, Color: opts.Color,
	}.Write(w, format)
}

// verdict returns the result in one line.
func (r *CompatResult) verdict() string {
	by := fmt.Sprintf("(%s, %s)", r.Level, r.Policy)
	if breaking := count(r.Changes, Error); breaking > 0 {
		return "incompatible: " + plural(breaking, "change") + " " + by
	}
	return "compatible " + by
}
