package output_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
)

// tree returns every file and folder below a directory; folders end with a slash.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			found[rel+"/"] = ""
			return nil
		}
		content, err := os.ReadFile(path)
		found[rel] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func given(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestApply(t *testing.T) {
	t.Parallel()
	dir := given(t, map[string]string{"events/a.go": "old", "events/gone.go": "old", "events/db/only.go": "old", "events/mine.go": "mine"})

	err := output.Apply(dir,
		[]output.File{{Path: "events/a.go", Content: []byte("new")}, {Path: "events/sub/b.go", Content: []byte("new")}},
		[]string{"events/gone.go", "events/db/only.go", "events/never.go"})
	if err != nil {
		t.Fatal(err)
	}

	want := map[string]string{"events/": "", "events/a.go": "new", "events/sub/": "", "events/sub/b.go": "new", "events/mine.go": "mine"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(dir, "events/a.go"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("a.go has mode %v, not the one that it had", info.Mode())
	}
}

// If any step fails, all files are as before.
func TestApplyFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		write  []output.File
		remove []string
		want   string
	}{
		"a file is where a folder must be": {
			write: []output.File{{Path: "events/a.go", Content: []byte("new")}, {Path: "events/new/b.go"}, {Path: "file/events/c.go"}},
			want:  "cannot write file/events/c.go: not a directory; nothing was changed",
		},
		"a file is where the folder itself must be": {
			write: []output.File{{Path: "new/b.go"}, {Path: "file/c.go"}},
			want:  "cannot write file/c.go: file is not a folder; nothing was changed",
		},
		"a folder is where a file must be": {
			write: []output.File{{Path: "events/a.go", Content: []byte("new")}, {Path: "events/sub"}},
			want:  "cannot write events/sub: a folder has this name; nothing was changed",
		},
		"removing fails after all was written": {
			write:  []output.File{{Path: "events/a.go", Content: []byte("new")}, {Path: "new/b.go"}},
			remove: []string{"events/gone.go", "file/d.go"},
			want:   "cannot remove file/d.go: not a directory; nothing was changed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := given(t, map[string]string{"events/a.go": "old", "events/gone.go": "old", "events/sub/x": "x", "file": "file"})
			before := tree(t, dir)

			err := output.Apply(dir, test.write, test.remove)

			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("something changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestApplyWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := given(t, map[string]string{"events/a.go": "old"})
	events := filepath.Join(dir, "events")
	if err := os.Chmod(events, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Chmod(events, 0o755); err != nil {
			t.Error(err)
		}
	})
	err := output.Apply(dir, []output.File{{Path: "new/b.go"}, {Path: "events/a.go", Content: []byte("new")}}, nil)
	if want := "cannot write events/a.go: permission denied; nothing was changed"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if diff := cmp.Diff(map[string]string{"events/": "", "events/a.go": "old"}, tree(t, dir)); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
}

// A link to a place outside the folder is an error when files are written or removed,
// wherever it is. A link that stays inside is followed.
func TestApplyFollowsNoLinkOutside(t *testing.T) {
	t.Parallel()
	outside := given(t, map[string]string{"old.go": "old", "db/old.go": "old"})
	before := tree(t, outside)
	dir := given(t, map[string]string{"real/old.go": "old", "file.go": "old"})
	for name, target := range map[string]string{
		"out": outside, "real/db": filepath.Join(outside, "db"), "gone": "nowhere", "in": filepath.Join(dir, "real"), "real/a.go": "../file.go",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	for name, test := range map[string]struct {
		write, remove string
		want          string
	}{
		"write":              {write: "out/new.go", want: "cannot write out/new.go: a symbolic link points outside the project; nothing was changed"},
		"write further down": {write: "real/db/sub/new.go", want: "cannot write real/db/sub/new.go: a symbolic link points outside the project; nothing was changed"},
		"write to nothing":   {write: "gone/new.go", want: "cannot write gone/new.go: gone is a broken symbolic link; nothing was changed"},
		"remove":             {remove: "real/db/old.go", want: "cannot remove real/db/old.go: a symbolic link points outside the project; nothing was changed"},
	} {
		var write []output.File
		var remove []string
		if test.write != "" {
			write = []output.File{{Path: "real/first.go"}, {Path: test.write}}
		} else {
			remove = []string{test.remove}
		}
		if err := output.Apply(dir, write, remove); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
	if diff := cmp.Diff(before, tree(t, outside)); diff != "" {
		t.Errorf("something changed outside (-before +after):\n%s", diff)
	}

	if err := output.Apply(dir, []output.File{{Path: "in/a.go", Content: []byte("new")}}, []string{"in/old.go"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(dir, "real/a.go"))
	if err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link of the file is still there: %v, %v", info, err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "file.go")); err != nil || string(content) != "old" {
		t.Errorf("what the link led to is now %q, %v", content, err)
	}
}
