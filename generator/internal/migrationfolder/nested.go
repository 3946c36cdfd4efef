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

// isGraphile reports whether a folder has the migrations of Graphile: those that
// are committed, and the current one.
func isGraphile(contents map[string][]byte) bool {
	for name := range contents {
		if strings.HasPrefix(name, "committed/") {
			return true
		}
	}
	return false
}

// sqitch reads Sqitch's migrations in the order of the plan: of its folder, or of the
// folder deploy in it.
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
	changes := planned(string(content))
	for i, change := range changes {
		name := path.Join(folder, fileOf(changes, i, func(name string) bool {
			_, err := os.Stat(filepath.Join(dir, folder, name))
			return err == nil
		}))
		text, err := readSQL(filepath.Join(dir, name))
		switch {
		case change.tag, errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, false, &UnreadableError{name, err}
		}
		files = append(files, File{Name: name, SQL: up(text)})
	}
	return files, len(files) > 0, nil
}

// change is a change or a tag in a plan of Sqitch.
type change struct {
	name string
	tag  bool
}

func planned(plan string) []change {
	var all []change
	for line := range strings.Lines(plan) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0, strings.ContainsAny(fields[0][:1], "%#-"):
		case fields[0][0] == '@':
			all = append(all, change{fields[0], true})
		default:
			all = append(all, change{strings.TrimPrefix(fields[0], "+"), false})
		}
	}
	return all
}

// fileOf returns the file of a change. A change that is reworked later is in a file
// with the name of a tag between the two.
func fileOf(changes []change, index int, exists func(name string) bool) string {
	name := changes[index].name
	again := slices.IndexFunc(changes[index+1:], func(c change) bool { return c.name == name })
	if again < 0 {
		return name + ".sql"
	}
	for _, between := range slices.Backward(changes[index+1 : index+1+again]) {
		if between.tag && exists(name+between.name+".sql") {
			return name + between.name + ".sql"
		}
	}
	return name + ".sql"
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
