package script

import (
	"regexp"
	"slices"
	"strings"
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
		b := branch{outer: r.active()}
		b.active = b.outer && !no(value)
		b.taken = b.active
		r.branches = append(r.branches, b)
	case name == "elif" && last >= 0:
		b := &r.branches[last]
		b.active = b.outer && !b.taken && !no(value)
		b.taken = b.taken || b.active
	case name == "else" && last >= 0:
		b := &r.branches[last]
		b.active, b.taken = b.outer && !b.taken, true
	case name == "endif" && last >= 0:
		r.branches = r.branches[:last]
	case !r.active():
	case name == "set" && value != "":
		r.variables[value] = strings.Join(words[1:], "")
	case name == "unset":
		delete(r.variables, value)
	case slices.Contains([]string{"i", "ir", "include", "include_relative"}, name) && value != "":
		r.include(file, at, value)
	case name == "q", name == "quit":
		return false
	}
	return true
}

// no reports whether a condition of \if is false. An unknown one counts as true.
func no(value string) bool {
	return slices.Contains([]string{"0", "false", "off", "no", "f", "n"}, strings.ToLower(value))
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
