// Package gomod knows the Go modules of this repository: migrations, runtime and the
// root, which are released, and testdata/orms, which has only tests. go.work joins them
// for development. Users build without it, from a module proxy, so [Proxy] makes one of
// a checkout.
//
// A module requires the released version of the others. [Release] compares the
// versions that the go.mod files name.
package gomod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
)

// Path is the path of the root module. The paths of the others begin with it.
const Path = "github.com/outboxgen/outboxgen"

// Module is one of the repository's modules.
type Module struct {
	Path   string
	Folder string // below the repository's root; "." for the root module
	// TestsOnly is true for a module that is never released and that no module requires.
	TestsOnly bool
}

// TagPrefix returns the text before the version in the module's tags.
func (m Module) TagPrefix() string {
	if m.Folder == "." {
		return ""
	}
	return m.Folder + "/"
}

// All returns every module. A module requires only those before it.
func All() []Module {
	return []Module{
		{Path: Path + "/migrations", Folder: "migrations"},
		{Path: Path + "/runtime", Folder: "runtime"},
		{Path: Path + "/testdata/orms", Folder: "testdata/orms", TestsOnly: true},
		{Path: Path, Folder: "."},
	}
}

// Released returns the modules that users can require.
func Released() []Module {
	return slices.DeleteFunc(All(), func(m Module) bool { return m.TestsOnly })
}

// FindRoot returns the root of the repository that a folder is in.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := start; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.work")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("gomod: no go.work in %s or above it", start)
		}
	}
}

func read(root string, m Module) (*modfile.File, error) {
	name := filepath.Join(root, m.Folder, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	f, err := modfile.Parse(name, text, nil)
	if err != nil {
		return nil, err
	}
	if f.Module == nil || f.Module.Mod.Path != m.Path {
		return nil, fmt.Errorf("gomod: %s is not the go.mod of %s", name, m.Path)
	}
	return f, nil
}

// siblings returns the versions of the repository's other modules that a go.mod
// requires.
func siblings(f *modfile.File) map[string]string {
	found := map[string]string{}
	for _, r := range f.Require {
		for _, m := range All() {
			if r.Mod.Path == m.Path {
				found[m.Path] = r.Mod.Version
			}
		}
	}
	return found
}

// withSiblings returns the go.mod of a module that requires the others at a version.
func withSiblings(root string, m Module, version string) ([]byte, error) {
	f, err := read(root, m)
	if err != nil {
		return nil, err
	}
	for sibling := range siblings(f) {
		if err := f.AddRequire(sibling, version); err != nil {
			return nil, err
		}
	}
	f.Cleanup()
	return f.Format()
}

// WithFolders returns the go.mod and go.sum of the root module as its users get them,
// with the repository's other modules from their folders. So it needs no go.work, which
// can select higher versions of the requirements.
func WithFolders(root string) (mod, sum []byte, err error) {
	f, err := read(root, Module{Path: Path, Folder: "."})
	if err != nil {
		return nil, nil, err
	}
	for path := range siblings(f) {
		err = errors.Join(err, f.AddReplace(path, "", filepath.Join(root, strings.TrimPrefix(path, Path+"/")), ""))
	}
	if err != nil {
		return nil, nil, err
	}
	f.Cleanup()
	if mod, err = f.Format(); err != nil {
		return nil, nil, err
	}
	sum, err = os.ReadFile(filepath.Join(root, "go.sum"))
	return mod, sum, err
}

// Scratch returns a go.mod and go.sum for a test's module: it has the repository's
// modules from their folders, and requires the versions that they require.
func Scratch(root, modulePath string) (mod, sum []byte, err error) {
	f, err := read(root, Module{Path: Path, Folder: "."})
	if err != nil {
		return nil, nil, err
	}
	err = errors.Join(f.AddModuleStmt(modulePath), f.AddRequire(Path, "v0.0.0"))
	for _, m := range Released() {
		err = errors.Join(err, f.AddReplace(m.Path, "", filepath.Join(root, m.Folder), ""))
	}
	if err != nil {
		return nil, nil, err
	}
	f.Cleanup()
	if mod, err = f.Format(); err != nil {
		return nil, nil, err
	}
	sum, err = os.ReadFile(filepath.Join(root, "go.sum"))
	return mod, sum, err
}
