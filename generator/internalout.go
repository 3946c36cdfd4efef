package generator

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// outImportable warns of an output below a folder called internal if another module of
// the workspace requires this one: Go allows only packages next to internal to import
// it. A module without such users may do as it likes.
func (l *loaded) outImportable() {
	out, err := importPath(join(l.dir, l.project.Config.Out))
	if err != nil {
		return // reported where the package is written
	}
	within, ok := importableWithin(out)
	if !ok {
		return
	}
	abs, err := filepath.Abs(l.dir)
	if err != nil {
		return
	}
	_, content, err := findModule(abs)
	if err != nil {
		return
	}
	for _, user := range workspaceUsers(abs, modfile.ModulePath(content)) {
		if user == within || strings.HasPrefix(user, within+"/") {
			continue
		}
		l.list.Warnf(l.project.Config.At["out"], "out-internal",
			"only packages of %s can import %s; the module %s of this workspace requires this one, but cannot import it", within, out, user).
			SetHint("use a folder outside internal/ if that module consumes the events")
		return
	}
}

// importableWithin returns the path prefix of the packages that may import the package
// called name, or false if any may.
func importableWithin(name string) (string, bool) {
	elements := strings.Split(name, "/")
	for i := len(elements) - 1; i > 0; i-- {
		if elements[i] == "internal" {
			return strings.Join(elements[:i], "/"), true
		}
	}
	return "", false
}

// workspaceUsers returns the modules of the go.work above a folder that require the
// module called name, in the order of the file.
func workspaceUsers(abs, name string) []string {
	root := abs
	content, err := os.ReadFile(filepath.Join(root, "go.work"))
	for err != nil {
		if root == filepath.Dir(root) {
			return nil
		}
		root = filepath.Dir(root)
		content, err = os.ReadFile(filepath.Join(root, "go.work"))
	}
	work, err := modfile.ParseWork("go.work", content, nil)
	if err != nil {
		return nil
	}
	var users []string
	for _, use := range work.Use {
		dir := filepath.FromSlash(use.Path)
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(root, dir)
		}
		content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			continue
		}
		mod, err := modfile.ParseLax("go.mod", content, nil)
		if err != nil || mod.Module == nil {
			continue
		}
		for _, require := range mod.Require {
			if require.Mod.Path == name {
				users = append(users, mod.Module.Mod.Path)
			}
		}
	}
	return users
}
