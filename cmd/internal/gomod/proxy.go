package gomod

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// ErrNoWorkTree is wrapped by the error of [Proxy] outside a git work tree: the modules
// contain the files that git lists.
var ErrNoWorkTree = errors.New("gomod: not a git work tree")

// Served is the modules of a checkout in a folder that go can use as a proxy. They have
// one version, which depends on the content, so that a cached one is never stale. They
// require each other at that version.
type Served struct {
	Dir     string
	Version string
	// Sums are the go.sum lines of the modules.
	Sums map[string]string
}

// Proxy writes the checkout's modules into a folder that is a proxy.
func Proxy(ctx context.Context, root, dir string) (*Served, error) {
	return ProxyAt(ctx, root, dir, "")
}

// ProxyAt is [Proxy] with another version. If the modules of a clean commit already
// require each other at that version, the result is what a public module proxy serves
// once the commit has the tags of the version: the checksums are the same.
func ProxyAt(ctx context.Context, root, dir, version string) (_ *Served, err error) {
	files, err := os.MkdirTemp("", "outboxgen-files-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(files)) }()
	s := &Served{Dir: dir, Sums: map[string]string{}}
	sum, err := export(ctx, root, files)
	if err != nil {
		return nil, err
	}
	s.Version = cmp.Or(version, "v0.1.0-test."+sum)
	for _, m := range All() {
		if err := s.serve(files, m); err != nil {
			return nil, fmt.Errorf("serve %s: %w", m.Path, err)
		}
	}
	return s, nil
}

// serve serves a module of the exported files.
func (s *Served) serve(root string, m Module) error {
	mod, err := withSiblings(root, m, s.Version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(root, m.Folder, "go.mod"), mod, 0o600); err != nil {
		return err
	}
	if err := licensed(root, m); err != nil {
		return err
	}
	info, err := json.Marshal(map[string]string{"Version": s.Version, "Time": "2026-01-02T03:04:05Z"})
	if err != nil {
		return err
	}
	var archive bytes.Buffer
	if err := modzip.CreateFromDir(&archive, module.Version{Path: m.Path, Version: s.Version}, filepath.Join(root, m.Folder)); err != nil {
		return err
	}
	dir := filepath.Join(s.Dir, m.Path, "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"list": []byte(s.Version + "\n"), s.Version + ".info": info, s.Version + ".mod": mod, s.Version + ".zip": archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	whole, err := dirhash.HashZip(filepath.Join(dir, s.Version+".zip"), dirhash.Hash1)
	if err != nil {
		return err
	}
	alone, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(mod)), nil
	})
	s.Sums[m.Path] = fmt.Sprintf("%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", m.Path, s.Version, whole, alone)
	return err
}

// licensed gives a module the repository's licence, if it has none of its own, as go does
// when it makes a module of a folder.
func licensed(root string, m Module) error {
	const name = "LICENSE"
	own := filepath.Join(root, m.Folder, name)
	if _, err := os.Stat(own); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err
	}
	return os.WriteFile(own, text, 0o600)
}

// Env returns the environment for a go command that takes the modules from this proxy,
// and everything else from proxy, a value of GOPROXY.
func (s *Served) Env(proxy string) []string {
	return []string{
		"GOPROXY=file://" + filepath.ToSlash(s.Dir) + "," + proxy,
		"GONOSUMDB=" + Path, "GOFLAGS=", "GOWORK=off",
	}
}

// Unpack writes a module to a folder, with a go.sum that has the other modules.
func (s *Served) Unpack(m Module, dir string) error {
	archive := filepath.Join(s.Dir, m.Path, "@v", s.Version+".zip")
	if err := modzip.Unzip(dir, module.Version{Path: m.Path, Version: s.Version}, archive); err != nil {
		return err
	}
	name := filepath.Join(dir, "go.sum")
	sums, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	makeWritable(dir)
	f, err := read(filepath.Dir(dir), Module{Path: m.Path, Folder: filepath.Base(dir)})
	if err != nil {
		return err
	}
	for sibling := range siblings(f) {
		sums = withSums(sums, sibling, s.Sums[sibling])
	}
	return os.WriteFile(name, sums, 0o600)
}

// withSums returns a go.sum with lines for a module, where go puts them: a go.sum is
// sorted by the paths.
func withSums(sums []byte, modulePath, lines string) []byte {
	at := 0
	for line := range bytes.Lines(sums) {
		if name, _, _ := strings.Cut(string(line), " "); name > modulePath {
			break
		}
		at += len(line)
	}
	return slices.Concat(sums[:at], []byte(lines), sums[at:])
}

// Forget removes the modules from the module cache.
func (s *Served) Forget(cache string) error {
	var errs []error
	for _, m := range All() {
		extracted := filepath.Join(cache, m.Path+"@"+s.Version)
		makeWritable(extracted)
		downloads, _ := filepath.Glob(filepath.Join(cache, "cache", "download", m.Path, "@v", s.Version+".*"))
		for _, name := range append(downloads, extracted) {
			errs = append(errs, os.RemoveAll(name))
		}
	}
	return errors.Join(errs...)
}

// makeWritable makes the read-only files of a module removable.
func makeWritable(dir string) {
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o755) // removing it reports the error
		} else if err == nil {
			_ = os.Chmod(path, 0o644)
		}
		return nil
	})
}

// ContentVersion returns a version that depends on the files that a commit of the work
// tree would have: the prefix and a checksum.
func ContentVersion(ctx context.Context, root, prefix string) (_ string, err error) {
	files, err := os.MkdirTemp("", "outboxgen-files-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(files)) }()
	sum, err := export(ctx, root, files)
	return prefix + sum, err
}

// export copies the files that a commit of the work tree would have into a folder, and
// returns a checksum of them.
func export(ctx context.Context, root, dir string) (sum string, err error) {
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoWorkTree, err)
	}
	list := exec.CommandContext(ctx, "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("gomod: list the files of the work tree: %w", err)
	}
	hash := sha256.New()
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n", name, len(content))
		hash.Write(content)
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}
