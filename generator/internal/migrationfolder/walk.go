package migrationfolder

import (
	"os"
	"path"
	"path/filepath"
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

// ofAnotherDatabase reports whether the name of a folder is that of another database
// than Postgres.
func ofAnotherDatabase(name string) bool {
	return slices.Contains([]string{"db2", "derby", "h2", "hsqldb", "mariadb", "mssql", "mysql", "oracle", "sqlite", "sqlite3", "sqlserver"}, strings.ToLower(name))
}
