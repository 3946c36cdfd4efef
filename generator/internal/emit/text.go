package emit

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

const (
	outboxPath = "github.com/outboxgen/outboxgen/runtime"
	genPath    = "github.com/outboxgen/outboxgen/runtime/gen"
	wirePath   = "github.com/outboxgen/outboxgen/runtime/wire"
	pgxPath    = "github.com/jackc/pgx/v5"
	uuidPath   = "github.com/google/uuid"
)

// importSet maps an import path to its name, "" for the default.
type importSet map[string]string

// block returns the import declaration, if there is one: the standard library first,
// then the rest.
func (s importSet) block() [][]string {
	if len(s) == 0 {
		return nil
	}
	var std, rest []string
	for p, name := range s {
		line := strconv.Quote(p)
		if name != "" {
			line = name + " " + line
		}
		if strings.Contains(strings.Split(p, "/")[0], ".") {
			rest = append(rest, line)
		} else {
			std = append(std, line)
		}
	}
	byPath := func(a, b string) int {
		return strings.Compare(a[strings.IndexByte(a, '"'):], b[strings.IndexByte(b, '"'):])
	}
	slices.SortFunc(std, byPath)
	slices.SortFunc(rest, byPath)
	if len(std) > 0 && len(rest) > 0 {
		std = append(std, "")
	}
	return [][]string{append(std, rest...)}
}

// external imports the package of a configured type and returns its name: the last part
// of its path, unless that is used. The name is written explicitly, because the package
// may have another name.
func (s importSet) external(importPath string) string {
	if name := s[importPath]; name != "" {
		return name
	}
	base := path.Base(importPath)
	if strings.HasPrefix(base, "v") && strings.Trim(base[1:], "0123456789") == "" && path.Dir(importPath) != "." {
		base = path.Base(path.Dir(importPath))
	}
	if i := strings.LastIndexByte(base, '.'); i > 0 { // gopkg.in/inf.v0
		base = base[:i]
	}
	base = strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimPrefix(base, "go-"))
	switch importPath {
	case "time", uuidPath, wirePath, rulePath, pgxPath, "context", genPath, "encoding/json", "math/big", "strconv":
		s[importPath] = ""
		return base
	case outboxPath:
		s[importPath] = "outbox"
		return "outbox"
	}
	if base == "" || unicode.IsDigit(rune(base[0])) {
		base = "x" + base
	}
	name := base
	for i := 2; s.used(name); i++ {
		name = fmt.Sprintf("%s%d", base, i)
	}
	s[importPath] = name
	return name
}

// used reports whether a package cannot be imported under a name, because Go or
// generated code uses the name.
func (s importSet) used(name string) bool {
	if goname.Reserved(name) {
		return true
	}
	switch name {
	case "", "outbox", "wire", "rule", "time", "uuid", "context", "pgx", "gen", "json", "big", "strconv", outboxDB, "nullable",
		"v", "e", "d", "o", "c", "i", "n", "x", "ok", "item", "key", "value", "data":
		return true
	}
	return slices.Contains(slices.Collect(maps.Values(s)), name)
}

func quote(text string) string { return strconv.Quote(text) }

// lineWidth is where comments are wrapped.
const lineWidth = 77

// comment returns text as the lines of a comment, without slashes; paragraphs stay
// separate. Control characters and other characters that an editor may not show are
// dropped, so that the text cannot end the comment.
func comment(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(lineBreaks.Replace(text), "\n") {
		line = strings.Map(func(r rune) rune {
			switch {
			case r == '\t':
				return ' '
			case !unicode.IsPrint(r):
				return -1
			}
			return r
		}, line)
		wrapped := wrap(line)
		if len(wrapped) == 0 && len(lines) > 0 && lines[len(lines)-1] != "" {
			lines = append(lines, "")
		}
		for _, text := range wrapped {
			if strings.HasPrefix(text, "+build") {
				text = "\\" + text // gofmt would make it a build constraint
			}
			lines = append(lines, text)
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// wrap breaks a long line between words.
func wrap(line string) []string {
	var lines []string
	var current string
	width := 0
	for word := range strings.FieldsSeq(line) {
		n := len([]rune(word))
		if current != "" && width+1+n > lineWidth {
			lines = append(lines, current)
			current, width = "", 0
		}
		if current != "" {
			current += " "
			width++
		}
		current += word
		width += n
	}
	if current != "" {
		lines = append(lines, current)
	}
	return lines
}

// doc returns a comment of one paragraph, for templates. names are identifiers.
func doc(format string, names ...any) string {
	return "// " + strings.Join(comment(fmt.Sprintf(format, names...)), "\n// ")
}

// typeDoc documents a type, in a comment that begins with its name.
func typeDoc(n *ir.Named) []string {
	text := strings.TrimSpace(n.Doc)
	doc, ok := aboutType(n.Name, text)
	switch {
	case strings.HasPrefix(text, n.Name+" "):
		doc = text
	case ok:
	case n.SharedBy != "":
		doc = n.Name + " is the type of " + n.Role + " of " + n.SharedBy + ".\n\n" + text
	case n.Parent != nil:
		doc = n.Name + " is the type of " + n.Role + " of " + n.Parent.Name + ".\n\n" + text
	case len(n.Unions) > 0:
		doc = n.Name + " is a branch of " + unionNames(n) + ".\n\n" + text
	default:
		doc = n.Name + " is part of the event schemas.\n\n" + text
	}
	return append(comment(doc), deprecation(n.Deprecated)...)
}

// unionNames names the unions that a type is a branch of.
func unionNames(n *ir.Named) string {
	var names []string
	for _, u := range n.Unions {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	return enumerate(names, "and")
}

func deprecation(deprecated bool) []string {
	if !deprecated {
		return nil
	}
	return []string{"", "Deprecated: the schema marks it as deprecated."}
}

// fieldDoc documents a field. If no tag can contain the property's name, the comment
// has it.
func fieldDoc(f *ir.Field) []string {
	lines := comment(f.Doc)
	if tag(f.JSON, false) == "" {
		lines = append(lines, comment("Its name in JSON is "+strconv.QuoteToASCII(f.JSON)+".")...)
	}
	d := deprecation(f.Deprecated)
	if len(lines) == 0 && len(d) > 0 {
		d = d[1:]
	}
	return append(lines, d...)
}

// tag returns the struct tag of a property, or "" for a name that a tag cannot contain.
// The tag is for readers and for reflection; the methods of the type do not use it.
func tag(member string, optional bool) string {
	for _, r := range member {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) {
			return ""
		}
	}
	if member == "" || member == "-" {
		return ""
	}
	if optional {
		member += ",omitzero"
	}
	return " `json:" + strconv.Quote(member) + "`"
}

// list returns quoted strings as arguments.
func list(words []string) string { return breakLine(quoted(words)) }

// breakLine joins arguments, over several lines if they are long.
func breakLine(args []string) string {
	one := strings.Join(args, ", ")
	if len(one) <= 90 {
		return one
	}
	var b strings.Builder
	width := 0
	for i, arg := range args {
		if i == 0 || width+len(arg) > 100 {
			b.WriteString("\n")
			width = 0
		} else {
			b.WriteString(" ")
		}
		b.WriteString(arg + ",")
		width += len(arg) + 2
	}
	b.WriteString("\n")
	return b.String()
}
