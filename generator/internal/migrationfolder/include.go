package migrationfolder

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File returns a file by its index: a migration, or a file that Include found.
func (f *Folder) File(index int) File {
	if index < len(f.Files) {
		return f.Files[index]
	}
	return f.included[index-len(f.Files)]
}

// Any reports whether the text of a migration, or of a file that Include found, fits.
func (f *Folder) Any(fits func(sql []byte) bool) bool {
	match := func(file File) bool { return fits(file.SQL) }
	return slices.ContainsFunc(f.Files, match) || slices.ContainsFunc(f.included, match)
}

// steps is how far above the folder Include looks.
const steps = 4

// Include returns the index of the file that another one includes under a name. The
// name is relative to that file, to the folder, or to a folder above it in the same
// project, where people run psql. ok is false if there is none.
func (f *Folder) Include(from int, name string) (index int, ok bool) {
	if f.root == "" || filepath.IsAbs(name) {
		return 0, false
	}
	name = filepath.ToSlash(name)
	for _, dir := range f.placesAround(from) {
		relative := path.Join(dir, name)
		content, err := readSQL(filepath.Join(f.root, filepath.FromSlash(relative)))
		if err != nil {
			continue
		}
		for i := range len(f.Files) + len(f.included) {
			if f.File(i).Name == relative {
				return i, true
			}
		}
		f.included = append(f.included, File{Name: relative, SQL: up(content)})
		return len(f.Files) + len(f.included) - 1, true
	}
	return 0, false
}

// placesAround returns the folders that a name in a file may be relative to, as paths
// relative to the folder itself.
func (f *Folder) placesAround(file int) []string {
	all := []string{path.Dir(f.File(file).Name), "."}
	above := "."
	for range steps {
		if isProject(filepath.Join(f.root, filepath.FromSlash(above))) {
			break
		}
		above = path.Join(above, "..")
		all = append(all, above)
	}
	return all
}

// isProject reports whether a folder is the root of a project.
func isProject(dir string) bool {
	for _, name := range []string{".git", "go.mod", "outboxgen.yaml"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// includedByOthers returns the files of a folder that another one of them includes.
// They are not separate migrations.
func includedByOthers(contents map[string][]byte) map[string]bool {
	all := map[string]bool{}
	for from, content := range contents {
		for line := range strings.Lines(string(content)) {
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != `\i` && words[0] != `\ir` && words[0] != `\include` && words[0] != `\include_relative` {
				continue
			}
			name := filepath.ToSlash(strings.Trim(words[1], `'"`))
			for _, file := range []string{path.Join(path.Dir(from), name), path.Join(".", name)} {
				if _, ok := contents[file]; ok && file != from {
					all[file] = true
				}
			}
		}
	}
	return all
}
