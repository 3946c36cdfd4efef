package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

// source is the checkout that is built.
type source struct {
	root    string
	version string // "" for a work tree with changes: the version then depends on the content
	time    time.Time
}

// readSource returns the version of the checkout's commit and its time, which is the time
// of every file in the archives. The version is the given one; else the tag of the
// commit; else a pseudo-version, as go makes them.
func readSource(ctx context.Context, root, version string) (source, error) {
	g := git{ctx, root}
	commit, err := g.run("log", "-1", "--format=%ct %H", "--abbrev=12")
	if err != nil {
		return source{}, err
	}
	seconds, hash, _ := strings.Cut(commit, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("git log prints %q: %w", commit, err)
	}
	s := source{root: root, time: time.Unix(unix, 0).UTC()}
	changes, err := g.run("status", "--porcelain")
	if err != nil {
		return source{}, err
	}
	if version != "" {
		if changes != "" {
			return source{}, fmt.Errorf("the work tree has changes: commit or remove them before you build %s\n%s", version, changes)
		}
		return s.at(ctx, g, version)
	}
	if changes != "" {
		return s, nil
	}
	tag, err := g.tag("tag", "--points-at", "HEAD", "--list", "v*")
	if err != nil {
		return source{}, err
	}
	if tag != "" {
		return s.at(ctx, g, tag)
	}
	older, err := g.tag("tag", "--merged", "HEAD", "--list", "v*")
	if err != nil {
		return source{}, err
	}
	s.version = module.PseudoVersion(semver.Major(older), older, s.time, hash[:12])
	return s, nil
}

// at returns the source of a release. The modules must be ready for it, and its tag, if
// there is one, must be on this commit.
func (s source) at(ctx context.Context, g git, version string) (source, error) {
	if err := gomod.CheckRelease(ctx, s.root, version); err != nil {
		return source{}, err
	}
	tagged, err := g.run("tag", "--list", version)
	if err != nil {
		return source{}, err
	}
	here, err := g.run("tag", "--points-at", "HEAD", "--list", version)
	if err != nil {
		return source{}, err
	}
	if tagged != here {
		return source{}, fmt.Errorf("the tag %s is on another commit: check it out, or choose another version", version)
	}
	s.version = version
	return s, nil
}

type git struct {
	ctx  context.Context
	root string
}

// run returns what a git command prints, without the last line break.
func (g git) run(args ...string) (string, error) {
	cmd := exec.CommandContext(g.ctx, "git", append([]string{"-C", g.root}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), errors.Join(err, errors.New(strings.TrimSpace(stderr.String()))))
	}
	return strings.TrimRight(string(out), "\n"), nil
}

// tag returns the highest version that a git command prints, or "".
func (g git) tag(args ...string) (string, error) {
	out, err := g.run(args...)
	if err != nil {
		return "", err
	}
	highest := ""
	for tag := range strings.Lines(out) {
		if tag = strings.TrimSpace(tag); semver.Canonical(tag) == tag && semver.Compare(tag, highest) > 0 {
			highest = tag
		}
	}
	return highest, nil
}
