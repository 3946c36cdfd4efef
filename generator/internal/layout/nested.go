package layout

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// nestedNames are the files that lead up in a folder that is one migration: of
// Prisma, and of Diesel.
var nestedNames = []string{"migration.sql", "up.sql"}

// nested reads the migrations of a folder in which each is a folder, in the order
// of their names. There are none where no folder holds such a file.
func nested(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			folders = append(folders, e.Name())
		}
	}
	slices.SortFunc(folders, natural)
	var files []File
	for _, folder := range folders {
		for _, base := range nestedNames {
			content, err := readSQL(filepath.Join(dir, folder, base))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return nil, err
			}
			files = append(files, File{Name: path.Join(folder, base), SQL: up(content)})
		}
	}
	return files, nil
}

// walk adds to contents the SQL files of a folder and of the folders in it, by
// their paths below root.
func walk(root, below string, contents map[string][]byte) error {
	entries, err := os.ReadDir(filepath.Join(root, below))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(below, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			if err := walk(root, name, contents); err != nil {
				return err
			}
		case strings.HasSuffix(name, ".sql"):
			if contents[name], err = readSQL(filepath.Join(root, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sqitch reads the migrations of Sqitch in the order of their plan: of its folder,
// or of the folder deploy in it.
func sqitch(dir string, names []string) (files []File, ok bool, err error) {
	folder := "deploy"
	plan := filepath.Join(dir, "sqitch.plan")
	if !slices.Contains(names, "sqitch.plan") {
		if filepath.Base(dir) != folder {
			return nil, false, nil
		}
		plan, folder = filepath.Join(dir, "..", "sqitch.plan"), ""
	}
	content, err := os.ReadFile(plan)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.ContainsAny(fields[0][:1], "%@#-") {
			continue
		}
		name := path.Join(folder, strings.TrimPrefix(fields[0], "+")+".sql")
		text, err := readSQL(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, false, err
		}
		files = append(files, File{Name: name, SQL: up(text)})
	}
	return files, len(files) > 0, nil
}

// otherLanguage is the name of a migration that is not SQL: in Go, as goose and bun
// have them, and in Java or Kotlin, as Flyway has them.
var otherLanguage = regexp.MustCompile(`^\d+_.*\.go$|^[VRB][\d._]*__.*\.(java|kt)$`)

func skippedIn(dir string, names []string) ([]Skipped, error) {
	var all []Skipped
	for _, name := range names {
		if !otherLanguage.MatchString(name) || strings.HasSuffix(name, "_test.go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		all = append(all, Skipped{name, content})
	}
	return all, nil
}
