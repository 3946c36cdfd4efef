package script

import (
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/sqltext"
)

// command follows a psql command in a file. It returns false if psql leaves the file.
func (r *reader) command(file, at int, command string) bool {
	words := r.words(command)
	name, words := words[0], words[1:]
	value := ""
	if len(words) > 0 {
		value = words[0]
	}
	switch last := len(r.branches) - 1; {
	case name == "if":
		r.branches = append(r.branches, branch{left: r.now()})
		r.branches[last+1].enter(value)
	case name == "elif" && last >= 0:
		r.branches[last].enter(value)
	case name == "else" && last >= 0:
		r.branches[last].enter("true")
	case name == "endif" && last >= 0:
		r.branches = r.branches[:last]
	case r.now() == off:
	case name == "set" && value != "":
		r.variables[value] = strings.Join(words[1:], "")
		if r.now() == unsure {
			delete(r.variables, value)
		}
	case name == "unset", name == "getenv":
		delete(r.variables, value)
	case name == "prompt":
		delete(r.variables, words[max(len(words)-1, 0):][0])
	case slices.Contains([]string{"i", "ir", "include", "include_relative"}, name) && value != "":
		r.include(file, at, value)
	case name == "c", name == "connect":
		r.add(Statement{File: file, Start: at, Tokens: newSession(at), Unsure: r.now() == unsure})
	case name == "q", name == "quit":
		return slices.ContainsFunc(r.branches, func(b branch) bool { return b.guessed })
	}
	return true
}

// newSession returns a statement with the effect of a new connection.
func newSession(at int) []sqltext.Token {
	return []sqltext.Token{{Kind: sqltext.Word, Text: "discard", Start: at, End: at}, {Kind: sqltext.Word, Text: "all", Start: at, End: at}}
}

// isNo reports whether a condition of \if is false.
func isNo(value string) bool { return isBoolean(value, "0", "off", "false", "no") }

// isYes reports whether a condition of \if is true.
func isYes(value string) bool { return isBoolean(value, "1", "on", "true", "yes") }

// isBoolean reports whether a value is one of these, or the beginning of a long one.
func isBoolean(value string, digit, short string, long ...string) bool {
	value = strings.ToLower(value)
	return value == digit || value == short || value != "" && slices.ContainsFunc(long, func(word string) bool { return strings.HasPrefix(word, value) })
}

// word is a word of a command: quoted, or up to a blank.
var word = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|` + "`[^`]*`" + `|[^\s'"` + "`" + `]+`)

// words returns the name of a command and its arguments, with known variables replaced.
// There is always a name.
func (r *reader) words(command string) []string {
	command = strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(command, `\`)), `\\`)
	all := word.FindAllString(command, -1)
	if len(all) == 0 {
		return []string{""}
	}
	for i, w := range all {
		switch {
		case w[0] == '\'':
			all[i] = strings.ReplaceAll(w[1:len(w)-1], "''", "'")
		case w[0] == '"':
			all[i] = strings.ReplaceAll(w[1:len(w)-1], `""`, `"`)
		case i > 0:
			all[i] = variable.ReplaceAllStringFunc(w, func(use string) string {
				if name, ok := strings.CutPrefix(use, ":{?"); ok {
					if _, defined := r.variables[strings.TrimSuffix(name, "}")]; defined {
						return "true"
					}
					return "false"
				}
				if value, ok := r.variables[use[1:]]; ok {
					return value
				}
				return use
			})
		}
	}
	return all
}

// variable is the use of a variable in a command.
var variable = regexp.MustCompile(`:(?:\w+|\{\?\w+\})`)
