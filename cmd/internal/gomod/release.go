package gomod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/semver"
)

// CheckRelease returns an error if the modules cannot be released together. With a
// version, it checks that everything is ready to be tagged with it; with "", only what
// must always hold.
func CheckRelease(ctx context.Context, root, version string) error {
	required, err := checkRequired(root, version)
	errs := []error{err, checkWorkspace(root, required), checkTags(ctx, root)}
	if version == "" {
		return errors.Join(errs...)
	}
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("release: the version %q does not have the form v1.2.3", version)
	}
	for _, r := range required {
		if r.version != version {
			errs = append(errs, fmt.Errorf("release: %s requires %s %s: run go run ./cmd/internal/modules require %s", r.file, r.path, r.version, version))
		}
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		errs = append(errs, err)
	} else if heading := "## [" + strings.TrimPrefix(version, "v") + "]"; !strings.Contains(string(changes), "\n"+heading) {
		errs = append(errs, fmt.Errorf("release: CHANGELOG.md has no heading %s", heading))
	}
	return errors.Join(errs...)
}

// Tags returns the tags of a version, one for each module.
func Tags(version string) []string {
	var tags []string
	for _, m := range Released() {
		tags = append(tags, m.TagPrefix()+version)
	}
	return tags
}

// requirement is a line of a go.mod that names another module of the repository.
type requirement struct{ file, path, version string }

// checkRequired checks that all go.mod files require one version, and only
// modules that come before them, and replace nothing.
func checkRequired(root, version string) ([]requirement, error) {
	var found []requirement
	var errs []error
	for i, m := range All() {
		f, err := read(root, m)
		if err != nil {
			return nil, err
		}
		name := filepath.ToSlash(filepath.Join(m.Folder, "go.mod"))
		if len(f.Replace) > 0 {
			errs = append(errs, fmt.Errorf("release: %s replaces %s: users of the module get another version than you test", name, f.Replace[0].Old.Path))
		}
		got := siblings(f)
		for at, sibling := range All() {
			v, ok := got[sibling.Path]
			if !ok {
				continue
			}
			if at >= i {
				errs = append(errs, fmt.Errorf("release: %s requires %s, which is released after it", name, sibling.Path))
			}
			found = append(found, requirement{name, sibling.Path, v})
		}
	}
	for _, r := range found {
		if version == "" && r.version != found[0].version {
			errs = append(errs, fmt.Errorf("release: %s requires %s %s, and %s requires %s %s: the modules are released together, at one version",
				r.file, r.path, r.version, found[0].file, found[0].path, found[0].version))
		}
	}
	return found, errors.Join(errs...)
}

// checkWorkspace checks that go.work uses every module, and that it replaces
// only the versions that the go.mod files require, by the folders that it uses.
func checkWorkspace(root string, required []requirement) error {
	work, err := readWork(root)
	if err != nil {
		return err
	}
	var got, want []string
	for _, u := range work.Use {
		got = append(got, "use "+filepath.ToSlash(filepath.Clean(u.Path)))
	}
	for _, r := range work.Replace {
		got = append(got, fmt.Sprintf("replace %s %s => %s", r.Old.Path, r.Old.Version, path.Clean(r.New.Path)))
	}
	for _, m := range All() {
		want = append(want, "use "+m.Folder)
		for _, r := range required {
			if r.path == m.Path {
				want = append(want, fmt.Sprintf("replace %s %s => %s", m.Path, r.version, m.Folder))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		return fmt.Errorf("release: go.work contains\n  %s\nbut must contain\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	return nil
}

func readWork(root string) (*modfile.WorkFile, error) {
	name := filepath.Join(root, "go.work")
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return modfile.ParseWork(name, text, nil)
}

// checkTags checks that each version that is tagged is tagged for every module,
// on one commit.
func checkTags(ctx context.Context, root string) error {
	list := exec.CommandContext(ctx, "git", "-C", root, "for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)")
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("release: list the tags: %w", err)
	}
	commits := map[string]string{} // by tag
	versions := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		tag, commit, _ := strings.Cut(strings.TrimSpace(line), " ")
		commits[tag] = commit
		for _, m := range Released() {
			if v, ok := strings.CutPrefix(tag, m.TagPrefix()); ok && semver.IsValid(v) {
				versions[v] = true
			}
		}
	}
	var errs []error
	for version := range versions {
		tags := Tags(version)
		for _, tag := range tags {
			if last := tags[len(tags)-1]; commits[tag] == "" || commits[tag] != commits[last] {
				errs = append(errs, fmt.Errorf("release: the tags %s must be on one commit, but %s is not: git tag -f %s %s^{commit}", strings.Join(tags, ", "), tag, tag, last))
			}
		}
	}
	return errors.Join(errs...)
}

// Require makes every go.mod require the others at a version, and go.work
// replace that version.
func Require(root, version string) error {
	if !semver.IsValid(version) || semver.Canonical(version) != version {
		return fmt.Errorf("gomod: the version %q does not have the form v1.2.3", version)
	}
	work, err := readWork(root)
	if err != nil {
		return err
	}
	text := string(modfile.Format(work.Syntax))
	for _, r := range work.Replace {
		text = strings.ReplaceAll(text, r.Old.Path+" "+r.Old.Version+" =>", r.Old.Path+" "+version+" =>")
	}
	files := map[string][]byte{"go.work": []byte(text)}
	for _, m := range All() {
		if files[path.Join(m.Folder, "go.mod")], err = withSiblings(root, m, version); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}
