package migrationfolder

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// scripts are the extensions of languages in which migrations are written, besides SQL.
var scripts = []string{".cs", ".ex", ".exs", ".go", ".groovy", ".java", ".js", ".kt", ".kts", ".mjs", ".php", ".pl", ".py", ".rb", ".scala", ".sh", ".ts"}

var (
	// isChangelog matches a file of Liquibase.
	isChangelog = regexp.MustCompile(`\bdatabaseChangeLog\b`)
	// tableChange matches a change in a file of Liquibase that may be about a table.
	tableChange = regexp.MustCompile(`\b((add|drop|create|rename|modify|set|merge)(PrimaryKey|UniqueConstraint|NotNullConstraint|DefaultValue|AutoIncrement|Columns?|Index|Table|View|DataType|Trigger|Procedure)|createProcedure|customChange|executeCommand|groovyChange)\b|<sql\b|[\s{"-]sql"?\s*:`)
	// unnamed matches a change of a table that the file does not name.
	unnamed = regexp.MustCompile(`(?i)tableName"?\s*[=:]\s*["']?\s*\$\{|\b(customChange|executeCommand|groovyChange)\b`)
	// ddl matches a statement, or a call of a library, that may change a table.
	ddl = regexp.MustCompile(`(?i)\balter\s+table\b|\bcreate\s+unique\b|\bcreate\s+(or\s+replace\s+)?(trigger|rule)\b|\b(add|create|drop|alter|change|remove|rename|set)_?(column|index|constraint|primary_?key|unique|unique_?constraint|field|default|null|table|model)\w*\b|\balterTable\b|\.(primary|unique)\(`)
)

// mostOfScript bounds the size of a file that is searched.
const mostOfScript = 1 << 20

// MayChangeElsewhere returns the name of a file that may change a table in another way
// than by SQL: a changelog of Liquibase in XML, YAML or JSON, or a script. Name "" means
// that there is none.
func (f *Folder) MayChangeElsewhere(table string) (name string) {
	for _, file := range f.other {
		mentions := strings.Contains(strings.ToLower(string(file.Content)), strings.ToLower(table))
		if isScript(file.Name) && ddl.Match(file.Content) || !isScript(file.Name) && (mentions || unnamed.Match(file.Content)) {
			return file.Name
		}
	}
	return ""
}

// Changelog is a file of Liquibase in XML, YAML or JSON that changes a table.
type Changelog struct {
	Name    string // relative to the folder
	Content []byte
	Offset  int // of the table's name
}

// Changelogs returns the files of Liquibase that name a table in a change.
func (f *Folder) Changelogs(table string) []Changelog {
	named := regexp.MustCompile(`(?i)table_?name"?\s*[=:]\s*["']?(` + regexp.QuoteMeta(table) + `)\b`)
	var all []Changelog
	for _, file := range f.other {
		if at := named.FindSubmatchIndex(file.Content); at != nil && !isScript(file.Name) {
			all = append(all, Changelog{file.Name, file.Content, at[2]})
		}
	}
	return all
}

func isScript(name string) bool { return slices.Contains(scripts, strings.ToLower(path.Ext(name))) }

// othersIn returns the scripts and the changelogs of Liquibase in a folder, and the
// changelogs in the folders above it in the same project. What cannot be read is left
// out.
func othersIn(root string) []Skipped {
	var all []Skipped
	look := func(name string) {
		ext := strings.ToLower(path.Ext(name))
		if !isScript(name) && !slices.Contains([]string{".xml", ".yaml", ".yml", ".json"}, ext) || strings.HasSuffix(name, "_test.go") {
			return
		}
		file := filepath.Join(root, filepath.FromSlash(name))
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() || info.Size() > mostOfScript {
			return
		}
		content, err := os.ReadFile(file)
		if err == nil && !isScript(name) {
			content = upOnly(content, ext)
		}
		if err == nil && (isScript(name) || isChangelog.Match(content) && tableChange.Match(content)) {
			all = append(all, Skipped{name, content})
		}
	}
	_ = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch hidden := err == nil && file != root && strings.HasPrefix(entry.Name(), "."); {
		case err != nil:
			return nil //nolint:nilerr // what cannot be listed has no scripts for us
		case entry.IsDir() && (hidden || entry.Name() == "node_modules" || entry.Name() == "vendor"):
			return fs.SkipDir
		case entry.IsDir(), hidden:
			return nil
		}
		if name, err := filepath.Rel(root, file); err == nil {
			look(filepath.ToSlash(name))
		}
		return nil
	})
	above := "."
	for range steps {
		if isProject(filepath.Join(root, filepath.FromSlash(above))) {
			break
		}
		above = path.Join(above, "..")
		names, err := list(filepath.Join(root, filepath.FromSlash(above)))
		if err != nil {
			break
		}
		for _, name := range names {
			if changelogName.MatchString(name) {
				look(path.Join(above, name))
			}
		}
	}
	return all
}
