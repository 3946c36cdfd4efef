package migrationfolder

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// nestedNames are the files for the way up in a folder that is one migration: of Prisma
// and of Diesel.
var nestedNames = []string{"migration.sql", "up.sql"}

// nested reads the migrations of a folder in which each is a folder, in the order of
// their names. There are none if no folder has such a file.
func nested(dir string) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !ofAnotherDatabase(e.Name()) {
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
				return nil, &UnreadableError{path.Join(folder, base), err}
			}
			files = append(files, File{Name: path.Join(folder, base), SQL: up(content)})
		}
	}
	return files, nil
}
