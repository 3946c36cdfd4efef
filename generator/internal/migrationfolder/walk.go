package migrationfolder

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
		case e.IsDir() && ofAnotherDatabase(e.Name()):
		case e.IsDir():
			if err := walk(root, name, contents); err != nil {
				return err
			}
		case isSQL(name):
			if contents[name], err = readSQL(filepath.Join(root, name)); err != nil {
				return &UnreadableError{name, err}
			}
		}
	}
	return nil
}

// otherDatabases are names of folders, and parts of file names, for other databases
// than Postgres.
var otherDatabases = []string{
	"bigquery", "cassandra", "clickhouse", "cockroach", "cockroachdb", "crdb", "db2", "derby", "duckdb", "h2", "hsqldb", "mariadb", "mssql",
	"mysql", "oracle", "scylla", "snowflake", "spanner", "sqlite", "sqlite3", "sqlserver", "tidb",
}

// ofAnotherDatabase reports whether the name of a folder is that of another database
// than Postgres.
func ofAnotherDatabase(name string) bool {
	return slices.Contains(otherDatabases, strings.ToLower(name))
}

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

// otherLanguage matches the name of a migration that is not SQL: in Go, as for goose
// and bun, or in Java or Kotlin, as for Flyway.
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
