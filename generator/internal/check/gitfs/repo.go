package gitfs

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ErrNoRepository is returned if a folder is not in a git repository.
var ErrNoRepository = errors.New("it is not in a git repository")

// ErrNoGit is returned if there is no git command.
var ErrNoGit = errors.New("the command git is not installed")

// UnknownRefError means that a name is not a commit.
type UnknownRefError struct {
	Ref     string
	Shallow bool // the clone is shallow, so the commit may only be missing here
}

func (e *UnknownRefError) Error() string {
	if e.Shallow {
		return fmt.Sprintf("there is no commit %q, and the clone is shallow", e.Ref)
	}
	return fmt.Sprintf("there is no commit %q", e.Ref)
}

// Repo is a git repository. Close it after use. It is not safe for concurrent use.
type Repo struct {
	// Prefix is the path from the root of the work tree to the folder given to Open,
	// with forward slashes; "." at the root.
	Prefix string

	ctx     context.Context // a Repo lives as long as the call that opened it
	dir     string
	shallow bool
	sha256  bool
	batch   *batch
}

// Open finds the repository of dir. The error is ErrNoGit, ErrNoRepository, or has
// git's message.
func Open(ctx context.Context, dir string) (*Repo, error) {
	r := &Repo{ctx: ctx, dir: dir}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, ErrNoGit
	}
	out, err := r.git("rev-parse", "--is-inside-work-tree", "--is-shallow-repository", "--show-object-format", "--show-prefix")
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed) && strings.Contains(err.Error(), "not a git repository"):
		return nil, ErrNoRepository
	case err != nil:
		return nil, err
	}
	lines := strings.Split(out, "\n")
	if len(lines) < 4 || lines[0] != "true" {
		return nil, ErrNoRepository // a bare repository has no files to check
	}
	r.shallow, r.sha256 = lines[1] == "true", lines[2] == "sha256"
	r.Prefix = filepath.ToSlash(filepath.Clean(lines[3]))
	return r, nil
}

// Close ends the process that reads contents.
func (r *Repo) Close() error {
	if r.batch == nil {
		return nil
	}
	b := r.batch
	r.batch = nil
	return b.close()
}

// Shallow reports whether the clone is shallow, so that commits are missing.
func (r *Repo) Shallow() bool { return r.shallow }

// git runs git and returns its output. The error has the last line of its error output.
func (r *Repo) git(args ...string) (string, error) {
	cmd := r.command(args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		if r.ctx.Err() != nil {
			return "", fmt.Errorf("run git: %w", context.Cause(r.ctx))
		}
		said := strings.TrimSpace(complaints.String())
		if said == "" {
			return "", fmt.Errorf("git %s: %w", args[0], err)
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, said)
	}
	return out.String(), nil
}

// command returns git in the folder, without the environment of a hook.
func (r *Repo) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(r.ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		// A hook's GIT_DIR is relative to where git started it.
		return slices.Contains([]string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "LC_ALL", "LANGUAGE"}, name)
	}), "LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0")
	return cmd
}

// Resolve returns the id of the commit that ref names. If there is none, the error is
// an *UnknownRefError.
func (r *Repo) Resolve(ref string) (string, error) {
	out, err := r.git("rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}")
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return "", &UnknownRefError{Ref: ref, Shallow: r.shallow}
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(out), nil
}

// Default returns the name of the default branch: the target of origin/HEAD, else main
// or master at origin or here; "" if there is none.
func (r *Repo) Default() string {
	if out, err := r.git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"); err == nil {
		if name := strings.TrimSpace(out); r.Has(name) {
			return name
		}
	}
	for _, name := range []string{"origin/main", "origin/master", "main", "master"} {
		if r.Has(name) {
			return name
		}
	}
	return ""
}

// Has reports whether ref names a commit.
func (r *Repo) Has(ref string) bool {
	_, err := r.Resolve(ref)
	return err == nil
}

// Empty reports whether no branch and no tag names a commit.
func (r *Repo) Empty() (bool, error) {
	out, err := r.git("for-each-ref", "--count=1")
	return err == nil && out == "", err
}

// MergeBase returns the best common ancestor of two commits, or "" if this clone has
// none.
func (r *Repo) MergeBase(a, b string) (string, error) {
	out, err := r.git("merge-base", a, b)
	var failed *exec.ExitError
	if errors.As(err, &failed) && failed.ExitCode() == 1 {
		return "", nil
	}
	return strings.TrimSpace(out), err
}

// History lists the commits that changed the folder dir, which is relative to the root,
// the latest first: commit itself, if it did, then its first parents.
func (r *Repo) History(commit, dir string) ([]string, error) {
	out, err := r.git("rev-list", "--first-parent", commit, "--", ":(top)"+strings.TrimPrefix(dir, "."))
	return strings.Fields(out), err
}

// Parent returns the first parent of a commit, or "" if this clone has none.
func (r *Repo) Parent(commit string) (string, error) {
	parent, err := r.Resolve(commit + "^")
	var unknown *UnknownRefError
	if errors.As(err, &unknown) {
		return "", nil
	}
	return parent, err
}

// Tags lists the tags that match a pattern and that commit reaches, the latest version
// first, in git's order of versions.
func (r *Repo) Tags(commit, pattern string) ([]string, error) {
	out, err := r.git("tag", "--list", "--merged="+commit, "--sort=-version:refname", "--end-of-options", pattern)
	return strings.Fields(out), err
}

// Hash returns git's id for a file with that content.
func (r *Repo) Hash(content []byte) string {
	h := sha1.New()
	if r.sha256 {
		h = sha256.New()
	}
	fmt.Fprintf(h, "blob %d\x00", len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}
