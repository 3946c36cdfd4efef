package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// setting is one thing that can be configured. The table of settings is the only place
// that defines a flag, its environment variable, its member in the file and its
// default: --help, the file, the environment and the table in the docs come from it.
type setting struct {
	name string // flag --name, variable OUTBOXRELAY_NAME, file member name (with _)
	kind kind
	def  string
	help string
	// alias is a second environment variable that is read if the first is not set,
	// because other tools use it.
	alias string
	// process settings apply to the whole process. In the file, the others may differ
	// between outboxes.
	process bool
}

func (s setting) env() string {
	return "OUTBOXRELAY_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_"))
}

func (s setting) member() string { return strings.ReplaceAll(s.name, "-", "_") }

// variables returns the environment variables of the setting, the preferred one first.
func (s setting) variables(separator string) string {
	if s.alias == "" {
		return s.env()
	}
	return s.env() + separator + s.alias
}

// places returns where the setting can be given, for messages.
func (s setting) places() string {
	return fmt.Sprintf("--%s, %s, or %s in the settings file (--config)", s.name, s.variables(", "), s.member())
}

// values maps the name of a setting to its text.
type values map[string]string

// layers resolves settings: flag, then environment, then file, then default. In a file
// with several outboxes, an outbox's own setting comes before the environment.
type layers struct {
	flags  values
	getenv func(string) string
	file   *file
}

// outboxes resolves the settings of each outbox: one, unless the file lists several.
func (l layers) outboxes(table []setting) ([]values, error) {
	if len(l.file.outboxes) == 0 {
		return []values{l.resolve(table, nil)}, nil
	}
	var (
		out      []values
		problems []error
	)
	for _, own := range l.file.outboxes {
		for _, s := range table {
			_, flagged := l.flags[s.name]
			if _, owned := own[s.name]; owned && flagged && len(l.file.outboxes) > 1 {
				problems = append(problems, fmt.Errorf(
					"--%s would override the outbox's own setting in the file (%s): remove the flag", s.name, s.member()))
			}
		}
		out = append(out, l.resolve(table, own))
	}
	return out, errors.Join(problems...)
}

// resolve merges the layers, for the process or for one outbox with its own settings.
func (l layers) resolve(table []setting, own values) values {
	out := values{}
	for _, s := range table {
		out[s.name] = s.def
		if text, ok := l.file.process[s.name]; ok {
			out[s.name] = text
		}
		if s.alias != "" {
			if text := l.getenv(s.alias); text != "" {
				out[s.name] = text
			}
		}
		if text := l.getenv(s.env()); text != "" {
			out[s.name] = text
		}
		if text, ok := own[s.name]; ok {
			out[s.name] = text
		}
		if text, ok := l.flags[s.name]; ok {
			out[s.name] = text
		}
	}
	return out
}

type file struct {
	process  values
	outboxes []values
}

// readFile reads a YAML file of settings; an empty path means an empty file. The error
// lists every member that is not a setting, with its line.
func readFile(path string, table []setting) (*file, error) {
	if path == "" {
		return &file{}, nil
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	var root yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(source)).Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return &file{}, nil
		}
		return nil, notYAML(path, err)
	}
	r := fileReader{path: path, table: table}
	f := &file{process: values{}}
	r.mapping(root.Content[0], func(key string, node *yaml.Node) bool {
		if key != "outboxes" {
			return r.set(f.process, key, node, true)
		}
		if node.Kind != yaml.SequenceNode {
			r.problem(node, "outboxes must be a list with one entry per outbox")
			return true
		}
		for _, entry := range node.Content {
			own := values{}
			r.mapping(entry, func(key string, node *yaml.Node) bool { return r.set(own, key, node, false) })
			f.outboxes = append(f.outboxes, own)
		}
		return true
	})
	return f, errors.Join(r.problems...)
}

// unreadable says why the file cannot be read. It repeats only text that looks like a
// file name, because the text may be an address with a password.
func unreadable(path string, err error) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(" :@=?&%", r) }
	if failed, ok := errors.AsType[*fs.PathError](err); ok && strings.ContainsFunc(path, odd) {
		return fmt.Errorf("cannot read the settings file: %w. "+
			"Its name is not shown because it may contain a password: the setting config is the name of a YAML file; set addresses with database-url", failed.Err)
	}
	return fmt.Errorf("cannot read the settings file: %w", err)
}

// notYAML says where the file is not YAML. It does not use the parser's message, which
// repeats parts of values, such as a password that begins with an asterisk.
func notYAML(path string, err error) error {
	if line := lineNumber.FindString(err.Error()); line != "" {
		path += ": " + line
	}
	return fmt.Errorf("%s: invalid YAML: a value that begins with * & ! %% @ { [ or a quote, or contains ': ' or ' #', must be quoted", path)
}

var lineNumber = regexp.MustCompile(`line \d+`)

// fileReader collects all problems of a file, so that they are reported together.
type fileReader struct {
	path     string
	table    []setting
	problems []error
}

func (r *fileReader) problem(node *yaml.Node, format string, args ...any) {
	place := fmt.Sprintf("%s:%d:%d: ", r.path, node.Line, node.Column)
	r.problems = append(r.problems, errors.New(place+fmt.Sprintf(format, args...)))
}

func (r *fileReader) mapping(node *yaml.Node, member func(key string, node *yaml.Node) bool) {
	if node.Kind != yaml.MappingNode {
		r.problem(node, "expected a mapping of settings")
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !member(key.Value, value) {
			name := key.Value
			if !memberName.MatchString(name) { // may be a part of a value
				name = "this member"
			}
			r.problem(key, "%s is not a setting (see outboxrelay config)", name)
		}
	}
}

var memberName = regexp.MustCompile(`^[a-z][a-z_-]*$`)

// set stores one member. A list is joined by commas, as in a flag.
func (r *fileReader) set(into values, key string, node *yaml.Node, process bool) bool {
	at := slices.IndexFunc(r.table, func(s setting) bool { return s.member() == key })
	if at < 0 {
		return false
	}
	s := r.table[at]
	if s.process && !process {
		r.problem(node, "%s is a setting of the process, not of one outbox: move it to the top level of the file", key)
		return true
	}
	switch node.Kind {
	case yaml.ScalarNode:
		into[s.name] = node.Value
	case yaml.SequenceNode:
		var parts []string
		for _, item := range node.Content {
			parts = append(parts, item.Value)
		}
		into[s.name] = strings.Join(parts, ",")
	default:
		r.problem(node, "%s must be text, a number or a list of texts", key)
	}
	return true
}
