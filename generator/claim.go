package generator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// claim says which files in a folder a command wrote.
type claim struct {
	command string
	folders []string // those with files of the command; "" is the folder itself
	ours    func(name string, content []byte) bool
}

// claim checks the folder of a result. Files of an earlier run that are no longer
// written become orphans. Another file in the place of one that is written is an error.
func (r *Result) claim(c claim) error {
	if r.Dir == "" {
		return nil
	}
	written := map[string]bool{}
	for _, f := range r.Files {
		written[f.Path] = true
	}
	for _, folder := range c.folders {
		entries, err := os.ReadDir(filepath.Join(r.Dir, folder))
		if errors.Is(err, fs.ErrNotExist) || notFolder(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("inspect the folder of %s: %w", c.command, err)
		}
		for _, entry := range entries {
			name := path.Join(folder, entry.Name())
			ours, err := r.wrote(c, name, entry)
			switch {
			case err != nil:
				return err
			case written[name] && !ours:
				return fmt.Errorf("%s needs to write %s, but did not generate the existing file; move it, or use another folder", c.command, r.abs(name))
			case !written[name] && ours:
				r.Orphans = append(r.Orphans, name)
			}
		}
	}
	slices.Sort(r.Orphans)
	return nil
}

// wrote reports whether the command wrote a file.
func (r *Result) wrote(c claim, name string, entry fs.DirEntry) (bool, error) {
	if !entry.Type().IsRegular() || !slices.Contains([]string{".html", ".css", ".js", ".json"}, path.Ext(name)) {
		return false, nil
	}
	content, err := os.ReadFile(r.abs(name))
	if err != nil {
		return false, fmt.Errorf("inspect the folder of %s: %w", c.command, err)
	}
	return c.ours(name, content), nil
}
