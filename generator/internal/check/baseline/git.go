package baseline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/check/gitfs"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Git reads a project at a commit. ref names the commit; "REF..." means the merge base
// of REF and HEAD. "" means the merge base with the target branch that a CI system
// names in env, or else with the default branch.
func Git(ctx context.Context, now *schema.Project, ref string, env func(string) string) (_ *Baseline, err error) {
	repo, err := gitfs.Open(ctx, now.Config.Dir)
	if err != nil {
		return nil, explainOpen(ref, err)
	}
	defer func() { err = errors.Join(err, repo.Close()) }()
	commit, name, err := base(repo, ref, env)
	if errors.Is(err, errNoCommits) && ref == "" {
		return &Baseline{Findings: []finding.Finding{contract.Found("project-added", "", finding.Pos{File: now.Config.File(), Line: 1, Col: 1},
			"the repository has no commits yet: every event is new")}}, nil
	}
	if err != nil {
		return nil, err
	}
	r := newReader(repo, now)
	releases, err := r.releases(commit)
	if err != nil {
		return nil, err
	}
	if releases != nil {
		if len(releases) == 0 {
			return &Baseline{Name: name, Findings: []finding.Finding{contract.Found("nothing-released", "", now.Config.Compat.Pos,
				fmt.Sprintf("no tag that matches %s is in the history of %s: every event may still change", finding.Quote(now.Config.Compat.Released), name))}}, nil
		}
		commit, name = releases[0].commit, releases[0].name
		releases = releases[1:]
	}
	s, err := r.state(commit, name, r.changed)
	if err != nil {
		return nil, err
	}
	b := &Baseline{Name: name, Unchanged: map[*schema.Event]bool{}, Before: s.events, Reading: s.reading, Findings: s.findings}
	for _, file := range s.leftOut {
		if e := r.eventAt[file]; e != nil {
			b.Unchanged[e] = true
		}
	}
	if b.earlier, err = r.earlier(b, s, releases); err != nil {
		return nil, err
	}
	return b, nil
}

// errNoCommits is returned for a repository before its first commit.
var errNoCommits = errors.New("nothing to compare with: the repository has no commits; commit, or use --against none")

func explainOpen(ref string, err error) error {
	const instead = "name a folder or a registry with --against, or use --against none to skip the comparison"
	switch {
	case errors.Is(err, gitfs.ErrNoRepository) && ref == "":
		return fmt.Errorf("nothing to compare with: the project is not in a git repository; %s", instead)
	case errors.Is(err, gitfs.ErrNoRepository):
		return fmt.Errorf("cannot compare with %q: the project is not in a git repository, and there is no such folder; %s", ref, instead)
	case errors.Is(err, gitfs.ErrNoGit):
		return fmt.Errorf("cannot compare with a commit: %w; install it, or %s", err, instead)
	}
	return fmt.Errorf("cannot compare with a commit: %w", err)
}

// targets returns the variables with which CI systems name the target branch of a
// change.
func targets() []string {
	return []string{"GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"}
}

// base finds the commit to compare with, and its name for reports.
func base(repo *gitfs.Repo, ref string, env func(string) string) (commit, name string, err error) {
	if explicit, ok := strings.CutSuffix(ref, "..."); !ok && ref != "" {
		commit, err := repo.Resolve(ref)
		return commit, ref, unknownRef(err)
	} else if ok {
		ref = explicit
	}
	head, err := repo.Resolve("HEAD")
	if err != nil {
		return "", "", noHead(repo, err)
	}
	if ref == "" {
		if ref, err = target(repo, env); err != nil {
			return "", "", err
		}
	}
	other, err := repo.Resolve(ref)
	if err != nil {
		return "", "", unknownRef(err)
	}
	commit, err = repo.MergeBase("HEAD", other)
	switch {
	case err != nil:
		return "", "", fmt.Errorf("find where this branch left %s: %w", ref, err)
	case commit == "" && repo.Shallow():
		return "", "", fmt.Errorf("this clone is shallow and does not contain the common ancestor of HEAD and %s; %s", ref, deepen)
	case commit == "":
		return "", "", fmt.Errorf("HEAD and %s have no common ancestor; name the commit to compare with: --against %s", ref, ref)
	case commit == head:
		return commit, "HEAD", nil
	}
	return commit, commit[:12], nil
}

// noHead says why HEAD is no commit. Only a repository without any commit has nothing to
// compare with: a new branch without history, or a damaged repository, must not pass.
func noHead(repo *gitfs.Repo, err error) error {
	var unknown *gitfs.UnknownRefError
	if !errors.As(err, &unknown) {
		return err
	}
	switch empty, err := repo.Empty(); {
	case err != nil:
		return fmt.Errorf("HEAD names no commit: %w", err)
	case empty:
		return errNoCommits
	}
	return errors.New("HEAD names no commit, but the repository has others; check out the branch to check, or name the commit to compare with: --against REF")
}

// deepen is the hint for a shallow clone.
const deepen = "fetch more history (git fetch --unshallow, or git fetch --deepen=100; fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 on GitLab)"

// target returns the target branch.
func target(repo *gitfs.Repo, env func(string) string) (string, error) {
	for _, name := range targets() {
		branch := env(name)
		if branch == "" {
			continue
		}
		for _, ref := range []string{"refs/remotes/origin/" + branch, "refs/heads/" + branch} {
			if repo.Has(ref) {
				return strings.TrimPrefix(strings.TrimPrefix(ref, "refs/remotes/"), "refs/heads/"), nil
			}
		}
		return "", fmt.Errorf("the branch %s, which %s names, is not in this clone; fetch it (git fetch origin %s; fetch-depth: 0 for actions/checkout), or name the commit to compare with: --against REF", branch, name, branch)
	}
	if ref := repo.Default(); ref != "" {
		return ref, nil
	}
	if repo.Shallow() {
		return "", errors.New("this clone is shallow and has no default branch to compare with (origin/HEAD, main or master); " +
			"fetch all branches and their history (git remote set-branches origin '*', then git fetch --unshallow; " +
			"fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 on GitLab), or name the commit to compare with: --against REF")
	}
	return "", errors.New("there is no default branch to compare with (origin/HEAD, main or master); name the commit to compare with: --against REF")
}

func unknownRef(err error) error {
	var unknown *gitfs.UnknownRefError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown) && unknown.Shallow:
		return fmt.Errorf("%w; %s, or fetch the commit itself", err, deepen)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w, and there is no such folder; fetch it (git fetch origin), or look up its name with git log", err)
	}
	return err
}

// reader reads states of one project from its repository.
type reader struct {
	repo    *gitfs.Repo
	now     *schema.Project
	config  string                   // base name of the project file
	eventAt map[string]*schema.Event // events that have their own file
	hashes  map[string]string        // of the current files
	seen    map[string][]closure     // the states of event files that were read, by path
}

// closure is a file and the files that it refers to, with their ids.
type closure map[string]string

func newReader(repo *gitfs.Repo, now *schema.Project) *reader {
	r := &reader{
		repo: repo, now: now, config: now.Config.File(),
		eventAt: map[string]*schema.Event{}, hashes: map[string]string{}, seen: map[string][]closure{},
	}
	for _, e := range now.Events {
		if e != nil && e.Schema != nil && e.Schema.Outbox != nil && e.Schema.Pointer == "" {
			r.eventAt[e.Schema.Doc.Path] = e
		}
	}
	return r
}

// same reports whether a file and all files that it refers to are unchanged since a
// commit.
func (r *reader) same(t *gitfs.Tree, d *schema.Document) bool {
	for _, of := range d.Reached() {
		hash := t.Hash(of.Path)
		if hash == "" {
			return false
		}
		if r.hashes[of.Path] == "" {
			r.hashes[of.Path] = r.repo.Hash(of.Source)
		}
		// A checkout may have changed line ends to CR LF.
		if r.hashes[of.Path] != hash && (!strings.Contains(string(of.Source), "\r\n") ||
			r.repo.Hash([]byte(strings.ReplaceAll(string(of.Source), "\r\n", "\n"))) != hash) {
			return false
		}
	}
	return true
}

// changed reports whether an event file must be read at a commit.
func (r *reader) changed(t *gitfs.Tree, file string) bool {
	e := r.eventAt[file]
	return e == nil || !r.same(t, e.Schema.Doc)
}

// unseen is changed for a file that was not read in this state before.
func (r *reader) unseen(t *gitfs.Tree, file string) bool {
	return r.changed(t, file) && !slices.ContainsFunc(r.seen[file], func(c closure) bool {
		for name, hash := range c {
			if t.Hash(name) != hash {
				return false
			}
		}
		return true
	})
}

// state is the part of a project that was read at one commit.
type state struct {
	commit   string
	dir      string // of the project, from the root; "" if there was none
	events   []contract.Before
	reading  *contract.Reading
	leftOut  []string
	findings []finding.Finding
}

// state reads the files of the project at a commit that want selects.
func (r *reader) state(commit, name string, want func(*gitfs.Tree, string) bool) (*state, error) {
	tree, dir, config, err := r.locate(commit)
	if err != nil {
		return nil, err
	}
	s := &state{commit: commit, dir: dir}
	if dir == "" {
		s.findings = []finding.Finding{contract.Found("project-added", "", finding.Pos{File: r.config, Line: 1, Col: 1},
			fmt.Sprintf("%s has no project file for the service %s: every event is new", name, finding.Quote(r.now.Config.Service)))}
		return s, nil
	}
	old, list, err := schema.LoadPart(tree, config, func(file string) bool { return want(tree, file) })
	// A file that was left out may be needed: a reference uses its $id, or the project
	// had another setting that holds for every event.
	if err == nil && len(old.LeftOut) > 0 && (list.HasErrors() || changesEvents(old.Config, r.now.Config)) {
		old, list, err = schema.LoadFS(tree, config)
	}
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", name, err)
	}
	if refused := tree.Refused(); len(refused) > 0 {
		return nil, fmt.Errorf("at %s, %s is a symbolic link or a submodule, and its target is not in the commit; "+
			"check out that commit and compare with the folder: git worktree add ../before %s, and --against ../before", name, refused[0], commit[:12])
	}
	prefix := ""
	if dir != r.repo.Prefix {
		prefix = dir
	}
	in := func(file string) string { return name + ":" + path.Join(prefix, file) }
	broken := unreadable(old, list)
	s.findings = tell(r.now, broken, in)
	s.events = sound(old, broken, in)
	s.reading = reading(old.Config, broken, in)
	s.leftOut = old.LeftOut
	for _, b := range s.events {
		c := closure{}
		for _, d := range b.Schema.Doc.Reached() {
			c[d.Path] = tree.Hash(d.Path)
		}
		if b.Schema.Outbox != nil {
			r.seen[b.Schema.Doc.Path] = append(r.seen[b.Schema.Doc.Path], c)
		}
	}
	return s, nil
}

// changesEvents reports whether the settings of two project files make different events
// of the same schemas.
func changesEvents(old, now *schema.Config) bool {
	_, before := old.At["envelope"]
	_, after := now.At["envelope"]
	return before != after || old.Service != now.Service || old.Envelope != now.Envelope || old.CorrelationID != now.CorrelationID
}

// locate finds the project at a commit: in the current folder, else by its service. dir
// is "" if it was not there.
func (r *reader) locate(commit string) (tree *gitfs.Tree, dir, config string, err error) {
	tree, err = r.repo.Tree(commit, r.repo.Prefix)
	if err != nil {
		return nil, "", "", fmt.Errorf("list the files at %s: %w", commit, err)
	}
	if _, err := fs.Stat(tree, r.config); err == nil || len(tree.Refused()) > 0 {
		return tree, r.repo.Prefix, r.config, nil
	}
	whole, err := r.repo.Tree(commit, ".")
	if err != nil {
		return nil, "", "", fmt.Errorf("list the files at %s: %w", commit, err)
	}
	var found []string
	for _, file := range whole.Files() {
		if base := path.Base(file); base != r.config && base != "outboxgen.yaml" {
			continue
		}
		sub, err := fs.Sub(whole, path.Dir(file))
		if err != nil {
			continue // no such folder
		}
		old, _, err := schema.LoadPart(sub, path.Base(file), func(string) bool { return false })
		if err == nil && old.Config.Service == r.now.Config.Service {
			found = append(found, file)
		}
	}
	if len(found) != 1 {
		return nil, "", "", nil
	}
	dir, config = path.Dir(found[0]), path.Base(found[0])
	tree, err = r.repo.Tree(commit, dir)
	if err != nil {
		return nil, "", "", fmt.Errorf("list the files at %s: %w", commit, err)
	}
	return tree, dir, config, nil
}
