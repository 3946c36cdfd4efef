package generator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/check/gitfs"
	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Part is something that Check checks besides the schemas and the project file.
type Part string

// The parts of a check.
const (
	PartLint      Part = "lint"      // schemas that are valid but risky
	PartGenerated Part = "generated" // generated code that is out of date
	PartCompat    Part = "compat"    // compatibility with the earlier state
)

// Parts returns every Part.
func Parts() []Part { return []Part{PartLint, PartGenerated, PartCompat} }

// AgainstNothing is the value of CheckConfig.Against for no comparison.
const AgainstNothing = "none"

// CheckConfig configures Check.
type CheckConfig struct {
	Config

	// Against is what the events are compared with: a git commit by any name, or REF...
	// for the commit where the branch left REF; a folder with the earlier project,
	// relative to the current one; the URL of a schema registry, http or https; or
	// AgainstNothing. Default: the commit where the branch left its target branch or,
	// if that is not known, the default branch. A name that is both a folder and a
	// commit is an error: write ./name or refs/heads/name.
	Against string
	// Skip are the parts to leave out. Default: none.
	Skip []Part
	// WriteBaseline writes the findings of lint into the file that lint.baseline names:
	// they are accepted from now on. It writes nothing if the project has errors. An error
	// with PartLint in Skip, or if the file is there and of another kind.
	WriteBaseline bool
	// All adds the compatible changes as notes.
	All bool
	// Env returns environment variables: those with which CI systems name the target
	// branch, and SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO. Default: none are set.
	Env func(string) string
}

// CheckResult is the outcome of Check.
type CheckResult struct {
	// Against is what the events were compared with, without user and password; "" for
	// nothing.
	Against string
	// Events is the number of events in the project.
	Events int

	findings []finding.Finding
	sources  finding.Sources
	prefix   string // from the root of the repository to the project
}

// Findings returns all findings, sorted by place.
func (r *CheckResult) Findings() []Finding {
	return slices.Clone(r.findings)
}

// Failed reports whether the findings have an error or, if strict, a warning.
func (r *CheckResult) Failed(strict bool) bool {
	return slices.ContainsFunc(r.findings, func(f finding.Finding) bool {
		return f.Severity == Error || strict && f.Severity == Warning
	})
}

// Check checks a change of a project: it looks for errors in the schemas, for schemas
// that are valid but risky, for generated code that is out of date, and for changes
// that break readers or writers of the earlier events. It writes nothing but the file of
// WriteBaseline. It returns an error if it cannot check: there is no project file,
// nothing to compare with, or no answer from a registry.
func Check(ctx context.Context, cfg CheckConfig) (*CheckResult, error) {
	cfg.Config = cfg.withDefaults()
	if cfg.Env == nil {
		cfg.Env = func(string) string { return "" }
	}
	for _, part := range cfg.Skip {
		if !slices.Contains(Parts(), part) {
			return nil, fmt.Errorf("unknown part %q in --skip; the parts are %s", part, join3(Parts()))
		}
	}
	if cfg.WriteBaseline && slices.Contains(cfg.Skip, PartLint) {
		return nil, errors.New("--write-baseline accepts what lint finds, but --skip leaves lint out; remove one of them")
	}
	l, err := load(cfg.Config)
	if err != nil {
		return nil, err
	}
	c := &check{cfg: cfg, loaded: l, sound: l.project.Sound(l.list), broken: l.list.HasErrors()}
	c.result.Events = len(l.project.Events)
	c.result.prefix = c.prefix(ctx)
	if !c.skips(PartGenerated) {
		if err := c.generated(ctx); err != nil {
			return nil, err
		}
	}
	if c.skips(PartLint) {
		c.add(l.findings()...)
	} else {
		found := slices.DeleteFunc(l.findings(), func(f finding.Finding) bool { return lint.Covers(l.project, f) })
		if err := c.lint(found); err != nil {
			return nil, err
		}
	}
	if !c.skips(PartCompat) && cfg.Against != AgainstNothing {
		if err := c.compat(ctx); err != nil {
			return nil, err
		}
	}
	c.result.sources = l.sources()
	c.finish()
	return &c.result, nil
}

// check is a Check under way.
type check struct {
	*loaded

	cfg    CheckConfig
	sound  *schema.Project // with the events without errors
	broken bool            // the schemas or the project file have errors
	result CheckResult
}

func (c *check) skips(part Part) bool { return slices.Contains(c.cfg.Skip, part) }

func (c *check) add(f ...finding.Finding) { c.result.findings = append(c.result.findings, f...) }

// prefix returns the path from the root of the git repository to the project, for
// programs that show findings in the repository; "" if there is none.
func (c *check) prefix(ctx context.Context) string {
	repo, err := gitfs.Open(ctx, c.dir)
	if err != nil {
		return ""
	}
	defer repo.Close() //nolint:errcheck // nothing was started
	return strings.TrimPrefix(repo.Prefix, ".")
}

// generated compares the generated files with the disk.
func (c *check) generated(ctx context.Context) error {
	files, err := c.generate(ctx, c.cfg.Config)
	if _, none := errors.AsType[*noModuleError](err); none {
		return fmt.Errorf("%w; a project without generated Go skips this part: --skip generated", err)
	}
	if err != nil || c.list.HasErrors() {
		return err
	}
	orphans, err := c.claim(files)
	if err != nil || c.list.HasErrors() {
		return err
	}
	result := c.loaded.result()
	result.Files, result.Orphans = files, orphans
	differences, err := result.Compare()
	if err != nil {
		return err
	}
	for _, d := range differences {
		c.add(outOfDate(d))
	}
	return nil
}

// outOfDate returns a difference as a finding.
func outOfDate(d Difference) finding.Finding {
	pos := finding.Pos{File: d.Path, Line: 1, Col: 1}
	switch d.Kind {
	case Stale:
		pos.Line = firstDifference(d.Diff())
		return contract.Found("generated-file-stale", "", pos, "the file does not match its schema")
	case Orphaned:
		return contract.Found("generated-file-orphaned", "", pos, "the file belongs to no event")
	case Missing:
	}
	return contract.Found("generated-file-missing", "", finding.Pos{File: d.Path}, "the file is missing")
}

// firstDifference returns the first line of the file on disk that differs according to
// a unified diff.
func firstDifference(diff string) int {
	line := 0
	for text := range strings.Lines(diff) {
		switch {
		case line == 0:
			if _, err := fmt.Sscanf(text, "@@ -%d", &line); err != nil {
				line = 0 // still the header
			}
		case strings.HasPrefix(text, " "):
			line++
		default:
			return line
		}
	}
	return max(line, 1)
}

// finish removes the findings that the config accepts, and sorts the rest.
func (c *check) finish() {
	findings := c.result.findings
	for _, a := range c.project.Config.Compat.Accept {
		used, id := false, finding.Canonical(a.ID.Text)
		for i := range findings {
			f := &findings[i]
			if f.ID == id && f.Event == a.Event.Text {
				used = true
				f.Severity, f.Hint = finding.Note, ""
				f.Message += "; accepted: " + a.Reason.Text
			}
		}
		if _, known := finding.Lookup(id); !known {
			f := contract.Found("acceptance-unused", "", a.Pos, "this entry has no effect: there is no finding called "+finding.Quote(a.ID.Text))
			f.Hint = cmp.Or(finding.DidYouMean(id, finding.IDs()), "outboxgen explain --list lists all")
			findings = append(findings, f)
		} else if !used && c.result.Against != "" {
			findings = append(findings, contract.Found("acceptance-unused", "", a.Pos,
				fmt.Sprintf("this entry has no effect: there is no %s of the event %s", id, finding.Quote(a.Event.Text))))
		}
	}
	slices.SortStableFunc(findings, func(a, b finding.Finding) int {
		return cmp.Or(
			a.Pos.Compare(b.Pos), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Message, b.Message),
		)
	})
	// A change in a file that several events share is one finding, and so is one in a part
	// that an alias of YAML repeats.
	c.result.findings = slices.CompactFunc(findings, func(a, b finding.Finding) bool {
		a.Event, a.Change, a.Pointer = b.Event, b.Change, b.Pointer
		return a == b
	})
}

// configPos returns the place in the project file that selects the events.
func (c *check) configPos() finding.Pos {
	for _, member := range []string{"schemas", "events"} {
		if pos, ok := c.project.Config.At[member]; ok {
			return pos
		}
	}
	return finding.Pos{File: c.project.Config.File(), Line: 1, Col: 1}
}

// join3 lists names for a message.
func join3[T ~string](names []T) string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = string(n)
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " and " + all[last]
}

// errAmbiguous is the error for a name that is both.
var errAmbiguous = errors.New("is both a folder and a commit")
