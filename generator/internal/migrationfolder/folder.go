// Package migrationfolder reads the folders of migration tools: which files are
// migrations, their order, and which part of each is the way up.
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

// Tool is a migration tool, with its name in outboxgen's flags.
type Tool string

// The tools whose folders are recognised.
const (
	Goose   Tool = "goose"
	Migrate Tool = "migrate" // golang-migrate
	Tern    Tool = "tern"
	Atlas   Tool = "atlas"
	Alembic Tool = "alembic" // Python: not readable as SQL
	Plain   Tool = "sql"     // SQL files without a tool, or of one of those below
)

// Tools whose files Read treats as plain SQL. Only Search distinguishes them.
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
	// SQL is its text with all lines of the way down blanked, so that line numbers stay
	// the same.
	SQL []byte
}

// Folder is the migrations of one service.
type Folder struct {
	Tool  Tool
	Files []File // in the order in which the tool applies them
	// Nested is true if each migration is a folder, as for Prisma and Diesel. Then the
	// name of a file includes its folder.
	Nested bool
	// Skipped are the migrations that are not SQL, by name.
	Skipped []Skipped

	other    []Skipped // scripts and changelogs
	root     string
	included []File // in the order in which Include found them
}

// Skipped is a migration in Go, Java or Kotlin.
type Skipped struct {
	Name    string // relative to the folder
	Content []byte
}

// ErrEmpty is returned by Read for a folder without migrations.
var ErrEmpty = errors.New("no migrations")

// UnreadableError is returned by Read for a file that it cannot read.
type UnreadableError struct {
	Name string // relative to the folder
	Err  error  // of the file system
}

func (e *UnreadableError) Error() string { return "read " + e.Name + ": " + e.Err.Error() }

// Read reads a folder of migrations, or one file of SQL. If the folder itself has none,
// it reads its folders, each of which may be a migration. The errors are those of the
// file system, UnreadableError and ErrEmpty.
func Read(dir string) (*Folder, error) {
	folder, err := readFolder(dir)
	if errors.Is(err, ErrEmpty) {
		folder, err = readAll(dir, folder)
	}
	if folder != nil && isFolder(dir) {
		folder.other = othersIn(dir)
	}
	return folder, err
}

// ReadAll is Read for a folder whose files and folders are all read, such as one with a
// table in each file.
func ReadAll(dir string) (*Folder, error) {
	return readAll(dir, &Folder{Tool: Plain, other: othersIn(dir)})
}

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

// readFolder is Read without the folders inside the folder, except those that are a
// migration each.
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
	for _, name := range sqlFiles(names) {
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

// forPostgresOnly replaces the end of a name to get the one that Pop prefers with
// Postgres.
var forPostgresOnly = strings.NewReplacer(".up.sql", ".postgres.up.sql")

// isReplaced reports whether there is a migration of Pop with the same name that is for
// Postgres only.
func isReplaced(name string, contents map[string][]byte) bool {
	other := forPostgresOnly.Replace(name)
	_, ok := contents[other]
	return ok && other != name
}

// ReadAlembic reads a folder of Alembic's versions, in no particular order. The SQL of
// a File is Python then, which only Find can use.
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
	return files(entries), nil
}

var (
	gooseMark   = regexp.MustCompile(`(?im)^\s*--\s*\+goose\s+up\b`)
	ternMark    = regexp.MustCompile(`(?im)^---- create above / drop below ----`)
	alembicMark = regexp.MustCompile(`(?m)^\s*(from alembic import|import alembic)\b`)
	numbered    = regexp.MustCompile(`^(\d+)_.*\.sql$`)
	migrateUp   = regexp.MustCompile(`^(\d+)_.*\.up\.(sql|psql|pgsql|ddl)$`)
	downName    = regexp.MustCompile(`[./]down\.(sql|psql|pgsql|ddl)$`)
)

// detect recognises the tool of a folder by its files.
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

// order selects the migrations among the SQL files of a folder and sorts them in the
// order in which the tool applies them. Tools that number their files compare numbers,
// so 10 follows 2; atlas compares names.
func order(tool Tool, contents map[string][]byte) []string {
	inLower := map[string]bool{}
	for name := range contents {
		inLower[strings.ToLower(name)] = true
	}
	is := func(name string) bool { return !leadsDown(strings.ToLower(name), inLower) }
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
		if is(name) && !included[name] && !isReplaced(name, contents) {
			names = append(names, name)
		}
	}
	if isGraphile(contents) {
		compare = compareGraphile
	}
	slices.SortFunc(names, compare)
	if tool == Atlas {
		names = fromCheckpoint(names, contents)
	}
	return names
}

// undoing matches the end of a name that undoes the migration without that end.
var undoing = regexp.MustCompile(`[._-](down|rollback|revert|undo)\.sql$`)

// leadsDown reports whether a file undoes another one, by their names: a.down.sql,
// a-down.sql, a.rollback.sql, 1.undo.a.sql, rollback/a.sql. All names are in lower case.
func leadsDown(name string, all map[string]bool) bool {
	if downName.MatchString(name) {
		return true
	}
	partners := []string{undoing.ReplaceAllString(name, ".sql")}
	for _, pair := range [][2]string{{"-down.sql", "-up.sql"}, {"_down.sql", "_up.sql"}, {".undo.", ".do."}} {
		partners = append(partners, strings.Replace(name, pair[0], pair[1], 1))
	}
	folders := strings.Split(name, "/")
	for i, folder := range folders[:len(folders)-1] {
		if !slices.Contains([]string{"down", "rollback", "revert", "undo"}, folder) {
			continue
		}
		partners = append(partners, path.Join(slices.Delete(slices.Clone(folders), i, i+1)...))
		for _, other := range []string{"up", "deploy", "do", "forward", "apply"} {
			partners = append(partners, path.Join(slices.Concat(folders[:i], []string{other}, folders[i+1:])...))
		}
	}
	return slices.ContainsFunc(partners, func(partner string) bool { return all[partner] && partner != name })
}

// fromCheckpoint drops the files before the last checkpoint: atlas builds a new
// database from there, because a checkpoint repeats everything before it.
func fromCheckpoint(names []string, contents map[string][]byte) []string {
	for i := len(names) - 1; i > 0; i-- {
		if bytes.HasPrefix(contents[names[i]], []byte("-- atlas:checkpoint")) {
			return names[i:]
		}
	}
	return names
}

// natural compares names in natural order: runs of digits as numbers, the rest as
// bytes.
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

// Find returns the place of the last statement that creates a table: index of the file,
// line and column, counting from 1. ok is false if no file creates it.
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
