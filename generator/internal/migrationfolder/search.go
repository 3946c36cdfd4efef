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

// Found is a folder of migrations, or a plain schema file, inside a project.
type Found struct {
	Tool Tool
	// Path is relative to the project, with forward slashes.
	Path string
	// File is true if Path is one file of SQL, not a folder.
	File bool
}

// maxDepth is how many levels of folders Search looks at, the project's root included:
// enough for Flyway's src/main/resources/db/migration.
const maxDepth = 6

// skipped are folders that never contain a service's own migrations.
var skipped = []string{"vendor", "node_modules", "testdata", "third_party", "dist", "build", "bin"}

// Search searches a project for its migrations. A folder with signs of a tool comes
// before plain SQL, a folder before a schema file, and among equals the one nearest to
// the root, then the first by name. ok is false if there is nothing.
func Search(root string) (best Found, ok bool, err error) {
	rank := 0
	err = eachFolder(root, func(dir string) error {
		f, ok, err := look(root, dir)
		if r := worth(f); ok && r > rank {
			best, rank = f, r
		}
		return err
	})
	return best, rank > 0, err
}

// worth returns the rank of a result: higher means more certain.
func worth(f Found) int {
	switch {
	case f.Tool != Plain:
		return 3
	case !f.File:
		return 2
	default:
		return 1
	}
}

// eachFolder calls visit for the folders of a project, relative to its root: those nearer
// to the root first, then by name. It skips a folder that it cannot list, such as the
// data of a database that runs in a container.
func eachFolder(root string, visit func(dir string) error) error {
	dirs := []string{"."}
	for range maxDepth {
		var inside []string
		for _, dir := range dirs {
			entries, err := os.ReadDir(filepath.Join(root, dir))
			switch {
			case err != nil && dir == ".":
				return err
			case err != nil:
				continue
			}
			if err := visit(dir); err != nil {
				return err
			}
			names := folders(entries)
			for _, name := range names {
				below := filepath.Join(dir, name)
				if !slices.Contains(skipped, name) && !forAnotherDatabase(filepath.Join(root, below), names) {
					inside = append(inside, below)
				}
			}
		}
		dirs = inside
	}
	return nil
}

// forAnotherDatabase reports whether a folder is for another database than Postgres, with
// the names of the folders beside it. A name that a service may have too is that of a
// database also if the folder has SQL files itself.
func forAnotherDatabase(path string, beside []string) bool {
	name := filepath.Base(path)
	if !ofAnotherDatabase(name) || otherDatabase(name, beside) {
		return ofAnotherDatabase(name)
	}
	names, err := list(path)
	return err != nil || len(sqlFiles(names)) > 0
}

// look says what one folder is.
func look(root, dir string) (Found, bool, error) {
	path := filepath.Join(root, dir)
	names, err := list(path)
	if err != nil {
		return Found{}, false, err
	}
	slash := filepath.ToSlash(dir)
	if slices.Contains(names, "alembic.ini") || isAlembic(path, names) {
		return Found{Tool: Alembic, Path: slash}, true, nil
	}
	folder, err := readFolder(path)
	if err != nil {
		if folder != nil && folder.Tool != Plain { // signs of a tool, and no migrations yet
			return Found{Tool: folder.Tool, Path: slash}, true, nil
		}
		if errors.Is(err, ErrEmpty) {
			return Found{}, false, nil
		}
		return Found{}, false, err
	}
	if tool := byFiles(folder); tool != Plain {
		return Found{Tool: tool, Path: slash}, true, nil
	}
	if folder.Nested {
		return Found{}, false, nil // outboxgen writes no format that could be added to it
	}
	base := filepath.Base(path)
	switch {
	case strings.Contains(base, "migration"), base == "schema", base == "drizzle":
		return Found{Tool: Plain, Path: slash}, true, nil
	case slices.Contains(names, "schema.sql"):
		return Found{Tool: Plain, Path: strings.TrimPrefix(slash+"/schema.sql", "./"), File: true}, true, nil
	default:
		return Found{}, false, nil // queries, seeds and the like
	}
}

var (
	dbmateMark     = regexp.MustCompile(`(?m)^--\s*migrate:up\b`)
	sqlMigrateMark = regexp.MustCompile(`(?m)^--\s*\+migrate\s+Up\b`)
	// hasuraName matches the folder of a migration of Hasura, which has Diesel's files.
	// Hasura ignores a folder with a name that Diesel would give it.
	hasuraName = regexp.MustCompile(`^\d{13,}_`)
)

// byFiles returns the tool of a folder, if its files show more than Read needs.
func byFiles(folder *Folder) Tool {
	if folder.Tool != Plain {
		return folder.Tool
	}
	for _, f := range folder.Files {
		parts := flywayParts(f.Name)
		switch {
		case folder.Nested && path.Base(f.Name) == "migration.sql":
			return Prisma
		case folder.Nested && path.Base(f.Name) == "up.sql" && !hasuraName.MatchString(f.Name):
			return Diesel
		case folder.Nested: // Sqitch and others
		case parts != nil && parts[1] != "":
			return Flyway
		case dbmateMark.Match(f.SQL):
			return Dbmate
		case sqlMigrateMark.Match(f.SQL):
			return SQLMigrate
		}
	}
	return Plain
}

// isAlembic reports whether a folder has Alembic's versions.
func isAlembic(path string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if !strings.HasSuffix(name, ".py") {
			return false
		}
		content, err := fs.ReadFile(os.DirFS(path), name)
		return err == nil && alembicMark.Match(content)
	})
}
