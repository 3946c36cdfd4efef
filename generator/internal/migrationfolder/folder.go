// Package migrationfolder knows how each migration tool lays out its folder: which
// files are migrations, in what order they apply, and which part of each one
// leads up.
package migrationfolder

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Tool is a migration tool, by the name that outboxgen's flags use.
type Tool string

// The tools whose folders are known.
const (
	Goose   Tool = "goose"
	Migrate Tool = "migrate" // golang-migrate
	Tern    Tool = "tern"
	Atlas   Tool = "atlas"
	Alembic Tool = "alembic" // Python: nothing in it can be read as SQL
	Plain   Tool = "sql"     // SQL files without a tool, or of one of those below
)

// The tools whose files Read takes for plain SQL, and which only Search tells apart.
const (
	Dbmate     Tool = "dbmate"
	SQLMigrate Tool = "sql-migrate"
	Flyway     Tool = "flyway"
	Prisma     Tool = "prisma"
	Diesel     Tool = "diesel"
)

// File is the way up of one migration.
type File struct {
	// Name is the name of the file, relative to the folder of the migrations.
	Name string
	// SQL is its text with every line of a way down blanked, so that line
	// numbers still hold.
	SQL []byte
}

// Folder is the migrations of one service.
type Folder struct {
	Tool  Tool
	Files []File // in the order in which the tool applies them
	// Nested says that each migration is a folder of its own, as Prisma and Diesel
	// have them. The name of a file includes that of its folder then.
	Nested bool
	// Skipped is the migrations among them that are not SQL, by name.
	Skipped []Skipped

	root     string
	included []File // in the order in which Include found them
}

// Skipped is a migration in Go, Java or Kotlin.
type Skipped struct {
	Name    string // relative to the folder
	Content []byte
}

// ErrEmpty is what Read returns for a folder without a single migration.
var ErrEmpty = errors.New("no migrations")

// UnreadableError is what Read returns for a file that it cannot read.
type UnreadableError struct {
	Name string // relative to the folder
	Err  error  // of the file system
}

func (e *UnreadableError) Error() string { return "read " + e.Name + ": " + e.Err.Error() }

// Read reads a folder of migrations, or one file of SQL. Where the folder holds
// none itself, those of its folders are read, which may be a migration each. The
// errors are those of the file system, UnreadableError and ErrEmpty.
func Read(dir string) (*Folder, error) {
	folder, err := readFolder(dir)
	if !errors.Is(err, ErrEmpty) {
		return folder, err
	}
	return readAll(dir, folder)
}

// ReadAll is Read for a folder whose files and folders are all read, as those are
// that hold a table in each file.
func ReadAll(dir string) (*Folder, error) { return readAll(dir, &Folder{Tool: Plain}) }

func readAll(dir string, folder *Folder) (*Folder, error) {
	contents := map[string][]byte{}
	if err := walk(dir, "", contents); err != nil {
		return nil, err
	}
	folder.root, folder.Files, folder.Nested = dir, nil, true
	for _, name := range order(folder.Tool, contents) {
		folder.Files = append(folder.Files, File{Name: name, SQL: up(contents[name])})
	}
	if len(folder.Files) == 0 {
		return folder, ErrEmpty
	}
	return folder, nil
}

// readFolder is Read without the folders inside of the folder, but for those that
// are a migration each.
func readFolder(path string) (*Folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		content, err := readSQL(path)
		if err != nil {
			return nil, err
		}
		return &Folder{Tool: Plain, Files: []File{{Name: filepath.Base(path), SQL: up(content)}}, root: filepath.Dir(path)}, nil
	}
	names, err := list(path)
	if err != nil {
		return nil, err
	}
	contents := map[string][]byte{}
	for _, name := range names {
		if !isSQL(name) {
			continue
		}
		if contents[name], err = readSQL(filepath.Join(path, name)); err != nil {
			return nil, &UnreadableError{name, err}
		}
	}
	folder := &Folder{Tool: detect(names, contents), root: path}
	if folder.Skipped, err = skippedIn(path, names); err != nil {
		return nil, err
	}
	if planned, ok, err := sqitch(path, names); ok || err != nil {
		folder.Files, folder.Nested = planned, true
		return folder, err
	}
	switch {
	case slices.Contains(names, "migration_lock.toml"): // of Prisma
		clear(contents)
	case isFlyway(contents):
		if err := walk(path, "", contents); err != nil {
			return nil, err
		}
	case isFolder(filepath.Join(path, "committed")): // of Graphile
		if err := walk(path, "committed", contents); err != nil {
			return nil, err
		}
	}
	ordered := order(folder.Tool, contents)
	if folder.Tool == Plain {
		if ordered, err = byChangelog(path, names, ordered, contents); err != nil {
			return nil, err
		}
	}
	for _, name := range ordered {
		folder.Files = append(folder.Files, File{Name: name, SQL: up(contents[name])})
	}
	if len(folder.Files) == 0 {
		if folder.Files, err = nested(path); err != nil {
			return nil, err
		}
		folder.Nested = len(folder.Files) > 0
	}
	if len(folder.Files) == 0 {
		return folder, ErrEmpty
	}
	return folder, nil
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isSQL reports whether a name is that of a file of SQL.
func isSQL(name string) bool {
	return slices.Contains([]string{".sql", ".psql", ".pgsql", ".ddl"}, strings.ToLower(path.Ext(name)))
}

// ReadAlembic reads a folder of Alembic's versions, in no order that means
// anything. The SQL of a File is Python then: good for Find and nothing else.
func ReadAlembic(dir string) (*Folder, error) {
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	folder := &Folder{Tool: Alembic}
	for _, name := range names {
		if !strings.HasSuffix(name, ".py") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		folder.Files = append(folder.Files, File{Name: name, SQL: content})
	}
	return folder, nil
}

// list returns the names of the files in a folder, hidden ones left out.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		names = append(names, e.Name())
	}
	return names, nil
}

var (
	gooseMark   = regexp.MustCompile(`(?im)^\s*--\s*\+goose\s+up\b`)
	ternMark    = regexp.MustCompile(`(?im)^---- create above / drop below ----`)
	alembicMark = regexp.MustCompile(`(?m)^\s*(from alembic import|import alembic)\b`)
	numbered    = regexp.MustCompile(`^(\d+)_.*\.sql$`)
	migrateUp   = regexp.MustCompile(`^(\d+)_.*\.up\.(sql|psql|pgsql|ddl)$`)
	downName    = regexp.MustCompile(`[./]down\.(sql|psql|pgsql|ddl)$`)
)

// detect tells from the shapes of files which tool a folder belongs to.
func detect(names []string, contents map[string][]byte) Tool {
	has := func(match func(name string) bool) bool { return slices.ContainsFunc(names, match) }
	mark := func(re *regexp.Regexp) bool {
		return has(func(name string) bool { return re.Match(contents[name]) })
	}
	switch {
	case has(func(name string) bool { return name == "atlas.sum" }):
		return Atlas
	case has(migrateUp.MatchString):
		return Migrate
	case mark(gooseMark):
		return Goose
	case has(func(name string) bool { return name == "tern.conf" }), mark(ternMark):
		return Tern
	default:
		return Plain
	}
}

// order picks the migrations among the SQL files of a folder and puts them in
// the order in which the tool applies them. The tools that number their files
// compare numbers, so 10 follows 2; atlas compares names.
func order(tool Tool, contents map[string][]byte) []string {
	is := func(name string) bool { return !leadsDown(name, contents) }
	compare := natural
	switch tool {
	case Goose, Tern:
		is = numbered.MatchString
	case Migrate:
		is = migrateUp.MatchString
	case Atlas:
		compare = strings.Compare
	case Alembic, Plain:
	}
	if (tool == Plain || tool == Atlas) && isFlyway(contents) {
		return flyway(contents)
	}
	var names []string
	var included map[string]bool
	if tool == Plain {
		included = includedByOthers(contents)
	}
	for name := range contents {
		if is(name) && !included[name] {
			names = append(names, name)
		}
	}
	if isGraphile(contents) {
		compare = func(a, b string) int { return cmp.Or(cmp.Compare(path.Dir(b), path.Dir(a)), natural(a, b)) }
	}
	slices.SortFunc(names, compare)
	if tool == Atlas {
		names = fromCheckpoint(names, contents)
	}
	return names
}

// leadsDown reports whether a file takes another one back, by the names that both
// have: a.down.sql, a-down.sql, a.rollback.sql, 1.undo.a.sql.
func leadsDown(name string, contents map[string][]byte) bool {
	if downName.MatchString(name) {
		return true
	}
	for _, pair := range [][2]string{{"-down.sql", "-up.sql"}, {"_down.sql", "_up.sql"}, {".undo.", ".do."}, {".rollback.sql", ".sql"}} {
		partner := strings.Replace(name, pair[0], pair[1], 1)
		if _, ok := contents[partner]; ok && partner != name {
			return true
		}
	}
	return false
}

// fromCheckpoint drops what stands before the last checkpoint: atlas builds a
// new database from there, since a checkpoint repeats all that came before.
func fromCheckpoint(names []string, contents map[string][]byte) []string {
	for i := len(names) - 1; i > 0; i-- {
		if bytes.HasPrefix(contents[names[i]], []byte("-- atlas:checkpoint")) {
			return names[i:]
		}
	}
	return names
}

// natural compares names as people do: runs of digits by their number, the
// rest by bytes.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		dx, dy := digits(x), digits(y)
		if dx != "" && dy != "" {
			nx, ny := strings.TrimLeft(dx, "0"), strings.TrimLeft(dy, "0")
			if c := cmp.Or(cmp.Compare(len(nx), len(ny)), cmp.Compare(nx, ny)); c != 0 {
				return c
			}
			x, y = x[len(dx):], y[len(dy):]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits returns the run of digits that s begins with.
func digits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}

// Find returns the place of the statement that creates a table, the last one where
// there are several: index of the file, line and column, counting from 1. Where
// no file creates it, ok is false.
func (f *Folder) Find(table string) (file, line, col int, ok bool) {
	name := regexp.QuoteMeta(table)
	statement := `create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:[\w"]+\s*\.\s*)?("?` + name + `"?)[\s(;]`
	if f.Tool == Alembic {
		statement += `|create_table\(\s*(["']` + name + `["'])`
	}
	create := regexp.MustCompile("(?i)" + statement)
	for i := len(f.Files) - 1; i >= 0; i-- {
		sql := f.Files[i].SQL
		all := create.FindAllSubmatchIndex(sql, -1)
		if len(all) == 0 {
			continue
		}
		last := all[len(all)-1]
		at := max(last[2], last[len(last)-2]) // of the alternative that matched
		before := sql[:at]
		start := bytes.LastIndexByte(before, '\n') + 1
		return i, bytes.Count(before, []byte("\n")) + 1, len([]rune(string(before[start:]))) + 1, true
	}
	return 0, 0, 0, false
}
