package migrations

import (
	"regexp"
	"slices"
	"strings"
)

// The functions below work for the SQL files of this package, not for any SQL: a
// statement ends with a semicolon at the end of a line, except between lines with $$;
// comments stand on lines of their own; names are not quoted.

// split returns the statements, each with the comment before it.
func split(sql string) []string {
	var statements []string
	var b strings.Builder
	quoted := false
	for line := range strings.Lines(sql) {
		if b.Len() == 0 && strings.TrimSpace(line) == "" {
			continue
		}
		b.WriteString(line)
		if strings.HasPrefix(line, "--") {
			continue
		}
		if strings.Count(line, "$$")%2 == 1 {
			quoted = !quoted
		}
		if !quoted && strings.HasSuffix(strings.TrimSpace(line), ";") {
			statements = append(statements, strings.TrimSpace(b.String()))
			b.Reset()
		}
	}
	return statements
}

// from returns the SQL from the statement that starts with begins, with the comment
// before it.
func from(sql, begins string) string {
	statements := split(sql)
	i := slices.IndexFunc(statements, func(statement string) bool {
		_, statement = cutComment(statement)
		return strings.HasPrefix(statement, begins)
	})
	return strings.Join(statements[i:], "\n\n") + "\n"
}

// before returns the SQL before the statement that starts with begins, and its comment.
func before(sql, begins string) string {
	statements := split(sql)
	i := slices.IndexFunc(statements, func(statement string) bool {
		_, statement = cutComment(statement)
		return strings.HasPrefix(statement, begins)
	})
	return strings.Join(statements[:i], "\n\n") + "\n"
}

// compound reports whether a statement contains semicolons.
func compound(statement string) bool { return strings.Contains(statement, "$$") }

// cutComment separates the comment before a statement from it.
func cutComment(statement string) (comment, sql string) {
	for strings.HasPrefix(statement, "--") || strings.HasPrefix(statement, "\n") {
		line, rest, _ := strings.Cut(statement, "\n")
		comment += line + "\n"
		statement = rest
	}
	return comment, statement
}

// indent indents the lines that are not empty.
func indent(s, by string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(by)
		}
		b.WriteString(line)
	}
	return b.String()
}

// names finds the places where Postgres looks up a table or, in DROP INDEX, an index.
// It also matches a default with a table's name, and names that have their schema from
// format; these are left unchanged.
var names = regexp.MustCompile(`%1\$s\.\w+|DEFAULT '\w+'|DROP INDEX (?:IF EXISTS )?\w+|` +
	`\bevent_(?:outbox(?:_(?:delayed|lease|audit|seq_seq|other|cursor|late|failed|tick|deleted|history|id_at|await_locks|make_partition|drop_partition|renumber))?|inbox)\b`)

// qualify adds the schema to each of these names.
func qualify(sql, schema string) string {
	var b strings.Builder
	for line := range strings.Lines(sql) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			line = names.ReplaceAllStringFunc(line, func(found string) string {
				if strings.HasPrefix(found, "DEFAULT") || strings.HasPrefix(found, "%") {
					return found
				}
				before, name := "", found
				if i := strings.LastIndexByte(found, ' '); i >= 0 {
					before, name = found[:i+1], found[i+1:]
				}
				return before + `"` + schema + `".` + name
			})
		}
		b.WriteString(line)
	}
	return b.String()
}
