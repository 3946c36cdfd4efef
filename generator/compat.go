package generator

import (
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
	// Dir is the folder that the files are relative to. Default: the current
	// folder. References in a file reach what is below Dir; in a file outside Dir,
	// what is below the folder of the file.
	Dir string
	// Earlier is the files with the versions before, the oldest first. At least
	// one. Of several, a level that is not transitive looks at the last.
	Earlier []string
	// New is the file with the schema that is to be judged.
	New string
	// Level is NONE, BACKWARD, FORWARD or FULL, or one of the last three with
	// _TRANSITIVE behind it, in any case. Default: BACKWARD.
	Level string
	// Policy is strict or lenient, in any case. Default: strict.
	Policy string
}

// CompatResult is the verdict of Compat.
type CompatResult struct {
	// Level and Policy are those judged by.
	Level, Policy string
	// Changes is every difference that a rule knows, by place in the new schema: an
	// error if it is incompatible, a warning if no rule compares what changed, else a
	// note.
	Changes []Finding

	sources finding.Sources
}

// Compatible reports whether all changes are compatible at the level that was asked for.
func (r *CompatResult) Compatible() bool { return compat.Compatible(r.Changes) }

// Compat judges a change of a JSON Schema as Confluent's schema registry does,
// without a project and without a registry. The error says what is wrong with
// the arguments or with a file; then there is no verdict.
func Compat(cfg CompatConfig) (*CompatResult, error) {
	if cfg.Level == "" {
		cfg.Level = string(compat.Backward)
	}
	if cfg.Policy == "" {
		cfg.Policy = string(compat.Strict)
	}
	level, err := compat.ParseLevel(cfg.Level)
	if err != nil {
		return nil, err
	}
	policy, err := compat.ParsePolicy(cfg.Policy)
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

// compared is one schema to compare, and where its files are.
type compared struct {
	root   *schema.Schema
	folder string // before the paths of its files; empty: they are relative to the Dir of the config
}

func (c compared) path(file string) string { return path.Join(c.folder, file) }

// load reads one schema file.
func (r *CompatResult) load(dir, name string) (compared, error) {
	if dir == "" {
		dir = "."
	}
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
		return schema.LoadFileAs(root.FS(), file, dialect)
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

// unsound is why a file that was read is no schema to compare.
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

// CompatFormats is the formats that Write knows.
func CompatFormats() []string { return []string{"text", "json"} }

// Write writes the verdict and the changes in one of CompatFormats; those that
// are compatible only with all, or if no rule looks at what changed. opts bears
// on text. The error is the writer's, or names an unknown format.
func (r *CompatResult) Write(w io.Writer, format string, all bool, opts ReportOptions) error {
	if !slices.Contains(CompatFormats(), format) {
		return fmt.Errorf("unknown format %q; the formats are %s", format, strings.Join(CompatFormats(), " and "))
	}
	var findings []Finding
	for _, c := range r.Changes {
		if c.Severity != Note || all {
			findings = append(findings, c)
		}
	}
	return finding.Report{
		Findings: findings, Summary: r.verdict(), Head: map[string]any{"compatible": r.Compatible(), "level": r.Level, "policy": r.Policy},
		Sources: r.sources, Carets: opts.Carets, Color: opts.Color,
	}.Write(w, format)
}

// verdict is the result in one line.
func (r *CompatResult) verdict() string {
	by := fmt.Sprintf("(%s, %s)", r.Level, r.Policy)
	breaking := 0
	for _, c := range r.Changes {
		if c.Severity == Error {
			breaking++
		}
	}
	switch breaking {
	case 0:
		return "compatible " + by
	case 1:
		return "incompatible: 1 change " + by
	}
	return fmt.Sprintf("incompatible: %d changes %s", breaking, by)
}
