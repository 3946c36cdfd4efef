package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// importPath returns the import path of the package in a folder, from the go.mod
// above it.
func importPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find go.mod: %w", err)
	}
	root, content, err := findModule(abs)
	if err != nil {
		return "", err
	}
	module := modfile.ModulePath(content)
	if module == "" {
		return "", fmt.Errorf("%s names no module", filepath.Join(root, "go.mod"))
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return "", fmt.Errorf("find the import path: %w", err)
	}
	return path.Join(module, filepath.ToSlash(rel)), nil
}

// noModuleError says that a folder is in no Go module.
type noModuleError struct{ folder string }

func (e *noModuleError) Error() string {
	return fmt.Sprintf("there is no go.mod in %s or above it, so the generated package has no import path; run go mod init first", e.folder)
}

// findModule finds the go.mod of the module that a folder is in.
func findModule(abs string) (root string, mod []byte, err error) {
	for root = abs; ; root = filepath.Dir(root) {
		mod, err = os.ReadFile(filepath.Join(root, "go.mod"))
		if err == nil {
			return root, mod, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !notFolder(err) {
			return "", nil, fmt.Errorf("find go.mod: %w", err)
		}
		if root == filepath.Dir(root) {
			return "", nil, &noModuleError{abs}
		}
	}
}

// importable reports a sqlc.package that cannot be the import path of a package: its
// first element is not a host, and it is neither in this module nor in one that this
// module requires. Usually it is a folder of this module.
func (l *loaded) importable(name string) bool {
	abs, err := filepath.Abs(l.dir)
	if err != nil {
		return true
	}
	root, content, err := findModule(abs)
	if err != nil {
		return true
	}
	mod, err := modfile.ParseLax("go.mod", content, nil)
	if err != nil || mod.Module == nil {
		return true
	}
	first, _, _ := strings.Cut(name, "/")
	within := func(module string) bool { return name == module || strings.HasPrefix(name, module+"/") }
	if strings.Contains(first, ".") || within(mod.Module.Mod.Path) ||
		slices.ContainsFunc(mod.Require, func(r *modfile.Require) bool { return within(r.Mod.Path) }) {
		return true
	}
	folder := name
	if !exists(filepath.Join(root, filepath.FromSlash(name))) { // may be relative to the project file
		if rel, err := filepath.Rel(root, filepath.Join(abs, filepath.FromSlash(name))); err == nil && exists(filepath.Join(root, rel)) {
			folder = filepath.ToSlash(rel)
		}
	}
	l.list.Errorf(l.project.Config.SQLC.At["package"], "bad-import-path",
		"sqlc.package %s is not a valid import path: it is neither in this module, %s, nor in one that it requires", finding.Quote(name), mod.Module.Mod.Path).
		SetHint("write " + path.Join(mod.Module.Mod.Path, folder))
	return false
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
