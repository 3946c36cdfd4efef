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
	for _, base := range sqlFiles(files(entries)) {
		name := path.Join(below, base)
		if contents[name], err = readSQL(filepath.Join(root, name)); err != nil {
			return &UnreadableError{name, err}
		}
	}
	names := folders(entries)
	for _, name := range names {
		if otherDatabase(name, names) {
			continue
		}
		if err := walk(root, path.Join(below, name), contents); err != nil {
			return err
		}
	}
	return nil
}

// files returns the names of files among entries, hidden ones left out.
func files(entries []os.DirEntry) []string { return visible(entries, false) }

// folders returns the names of folders among entries, hidden ones left out.
func folders(entries []os.DirEntry) []string { return visible(entries, true) }

func visible(entries []os.DirEntry, isDir bool) []string {
	var names []string
	for _, e := range entries {
		if e.IsDir() == isDir && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}

// otherDatabases are names of folders, and parts of file names, for other databases
// than Postgres.
var otherDatabases = []string{
	"bigquery", "cassandra", "clickhouse", "cockroach", "cockroachdb", "crdb", "db2", "derby", "duckdb", "h2", "hsqldb", "mariadb", "mssql",
	"mysql", "oracle", "scylla", "snowflake", "spanner", "sqlite", "sqlite3", "sqlserver", "tidb",
}

// ordinary are those of them that a service may have too, for example one for the
// oracles of prices.
var ordinary = []string{"cassandra", "derby", "oracle", "snowflake", "spanner"}

// postgres are names of folders, and parts of file names, for Postgres.
var postgres = []string{"pg", "postgres", "postgresql", "psql"}

// ofAnotherDatabase reports whether a name is that of another database than Postgres.
func ofAnotherDatabase(name string) bool {
	return slices.Contains(otherDatabases, strings.ToLower(name))
}

// otherDatabase reports whether a name means another database than Postgres. One that a
// service may have too does so only beside a name that can only mean a database.
func otherDatabase(name string, beside []string) bool {
	if !ofAnotherDatabase(name) || !slices.Contains(ordinary, strings.ToLower(name)) {
		return ofAnotherDatabase(name)
	}
	return slices.ContainsFunc(beside, func(other string) bool {
		other = strings.ToLower(other)
		return slices.Contains(postgres, other) || ofAnotherDatabase(other) && !slices.Contains(ordinary, other)
	})
}

// sqlFiles returns the files of SQL among the files of a folder, without those whose name
// says that they are for another database, as 1_a.mysql.up.sql of Pop does.
func sqlFiles(names []string) []string {
	var all, parts []string
	for _, name := range names {
		if slices.Contains([]string{".sql", ".psql", ".pgsql", ".ddl"}, strings.ToLower(path.Ext(name))) {
			all = append(all, name)
			parts = append(parts, inside(name)...)
		}
	}
	return slices.DeleteFunc(all, func(name string) bool {
		return slices.ContainsFunc(inside(name), func(part string) bool {
			// A service has no second file that is called the same without its name.
			return otherDatabase(part, parts) || ofAnotherDatabase(part) && slices.Contains(names, strings.Replace(name, "."+part+".", ".", 1))
		})
	})
}

// inside returns the parts of a file's name between its first part and its extension.
func inside(name string) []string {
	parts := strings.Split(name, ".")
	return parts[1:max(len(parts)-1, 1)]
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
	names := folders(entries)
	slices.SortFunc(names, natural)
	var all []File
	for _, folder := range names {
		if otherDatabase(folder, names) {
			continue
		}
		for _, base := range nestedNames {
			content, err := readSQL(filepath.Join(dir, folder, base))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return nil, &UnreadableError{path.Join(folder, base), err}
			}
			all = append(all, File{Name: path.Join(folder, base), SQL: up(content)})
		}
	}
	return all, nil
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
