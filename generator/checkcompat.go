package generator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/baseline"
	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/check/gitfs"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// compat compares the events with their earlier versions.
func (c *check) compat(ctx context.Context) error {
	b, err := c.baseline(ctx)
	if err != nil {
		return err
	}
	c.result.Against = b.Name
	c.add(b.Findings...)
	opts := contract.Options{All: c.cfg.All, Specification: c.project.Config.Validation == schema.SpecValidation}
	published := slices.DeleteFunc(slices.Clone(c.sound.Events), func(e *schema.Event) bool { return e.Consumed })
	if b.Registered != nil {
		for _, e := range published {
			c.add(contract.Schemas(e, b.Registered[e], opts)...)
		}
		return nil
	}
	var events []*schema.Event
	for _, e := range published {
		if !b.Unchanged[e] {
			events = append(events, e)
		}
	}
	b.Before = slices.DeleteFunc(b.Before, func(before contract.Before) bool { return before.Event.Consumed })
	was, gone := contract.Match(events, b.Before)
	c.validation(b, published, was)
	frozen := c.project.Config.Compat.Frozen
	levelPos := c.project.Config.Compat.Pos
	if levelPos == (finding.Pos{}) {
		levelPos = c.configPos()
	}
	for _, e := range events {
		before, ok := was[e]
		if ok {
			c.add(contract.Lowered(e, append(b.Earlier(before.Event), before), levelPos, opts)...)
		}
		if e.Compat.Level == "NONE" {
			continue
		}
		if ok {
			c.add(contract.Compare(e, before)...)
			c.add(contract.Schemas(e, append(b.Earlier(before.Event), before), opts)...)
			if frozen {
				c.add(contract.Frozen(e, before)...)
			}
		}
		if c.project.Config.Compat.Versions == "together" {
			c.add(contract.Schemas(e, c.predecessors(e, b.Before), opts)...)
		}
	}
	c.removed(gone)
	return nil
}

// validation reports another validation than before, for the events that were there.
func (c *check) validation(b *baseline.Baseline, events []*schema.Event, was map[*schema.Event]contract.Before) {
	if b.Reading == nil {
		return
	}
	config := c.project.Config
	now := contract.Reading{Validation: config.Validation, Pos: config.At["validation"]}
	for _, e := range events {
		if _, ok := was[e]; ok || b.Unchanged[e] {
			c.add(contract.Validation(e, *b.Reading, now, finding.Pos{File: config.File(), Line: 1, Col: 1})...)
		}
	}
}

// predecessors lists the lower versions of an event: the current ones, or else the
// earlier ones.
func (c *check) predecessors(e *schema.Event, before []contract.Before) []contract.Before {
	var all []contract.Before
	types := map[string]bool{}
	for _, other := range c.sound.Events {
		all = append(all, contract.Before{Schema: other.Schema, Event: other})
		types[other.Type] = true
	}
	for _, b := range before {
		if !types[b.Event.Type] {
			all = append(all, b)
		}
	}
	return contract.Predecessors(e, all)
}

// removed reports the removed events. It reports nothing for events that may be in
// files that could not be read.
func (c *check) removed(gone []contract.Before) {
	config := c.project.Config.File()
	broken := map[string]bool{}
	for _, f := range c.list.Sorted() {
		if f.Severity == Error {
			broken[f.Pos.File] = true
		}
	}
	if c.broken && broken[config] {
		return
	}
	for _, b := range gone {
		file := b.Event.Schema.Doc.Path
		mayBeThere := slices.ContainsFunc(b.Event.Files(), func(d *schema.Document) bool { return broken[d.Path] })
		unsound := slices.ContainsFunc(c.project.Events, func(e *schema.Event) bool { return e != nil && !e.Consumed && e.Type == b.Event.Type })
		if b.Event.Compat.Level == "NONE" || unsound || mayBeThere {
			continue
		}
		if i := slices.IndexFunc(c.sound.Events, func(e *schema.Event) bool { return e.Consumed && e.Type == b.Event.Type }); i >= 0 {
			c.add(contract.NowConsumed(b, c.sound.Events[i]))
			continue
		}
		pos := c.configPos()
		if d := c.project.Document(file); d != nil && d.Root != nil {
			pos = d.Root.Pos
		}
		c.add(contract.Removed(b, pos))
	}
}

var (
	isURL   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/`)
	isDrive = regexp.MustCompile(`^[A-Za-z]:[/\\]`)
	isPath  = regexp.MustCompile(`^(\.{1,2}$|\.{0,2}[/\\]|[A-Za-z]:[/\\])|[/\\]$`)
	inside  = regexp.MustCompile(`^[^@]*:[^@]*@`)
)

// baseline reads the earlier state.
func (c *check) baseline(ctx context.Context) (*baseline.Baseline, error) {
	against := c.cfg.Against
	if against == "" {
		return c.git(ctx, "")
	}
	scheme := strings.ToLower(against)
	switch {
	case strings.HasPrefix(scheme, "http:"), strings.HasPrefix(scheme, "https:"):
		return baseline.Registry(ctx, c.sound, against, c.cfg.Env)
	case isURL.MatchString(against) && !isDrive.MatchString(against), inside.MatchString(against):
		// The value is not repeated, because it may contain a password.
		return nil, errors.New("--against needs a commit, a folder, or the URL of a schema registry, which begins with http:// or https://")
	}
	info, err := os.Stat(against)
	folder := err == nil && info.IsDir()
	if isPath.MatchString(against) {
		if !folder {
			return nil, fmt.Errorf("cannot compare with %q: there is no such folder", against)
		}
		return c.folder(against)
	}
	if !folder {
		return c.git(ctx, against)
	}
	repo, err := gitfs.Open(ctx, c.dir)
	if err != nil {
		return c.folder(against)
	}
	defer repo.Close() //nolint:errcheck // nothing was started
	if repo.Has(against) {
		return nil, fmt.Errorf("--against %s %w; write ./%s for the folder, or refs/heads/%s or refs/tags/%s for the commit", against, errAmbiguous, against, against, against)
	}
	return c.folder(against)
}

func (c *check) folder(dir string) (*baseline.Baseline, error) {
	return baseline.Folder(c.sound, dir, filepath.Base(c.project.Config.Path))
}

func (c *check) git(ctx context.Context, ref string) (*baseline.Baseline, error) {
	return baseline.Git(ctx, c.sound, ref, c.cfg.Env)
}
