package schema

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// maxListed is the number of names in a hint.
const maxListed = 6

// listing returns a hint that lists as many names as fit after the text says.
func listing(says string, names []string, text func(name string) string) string {
	if len(names) == 0 {
		return says
	}
	names = slices.Sorted(slices.Values(names))
	for i, name := range names {
		names[i] = text(name)
	}
	return says + ": " + quotedList(names, maxListed)
}

// quotedList returns names for a message, at most so many of them.
func quotedList(names []string, most int) string {
	var listed []string
	for _, name := range names[:min(len(names), most)] {
		listed = append(listed, finding.Quote(name))
	}
	list := strings.Join(listed, ", ")
	if more := len(names) - len(listed); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}

func itself(name string) string { return name }

// nameHint returns the hint for an unknown name: a similar one, else the existing names
// after the text has, or otherwise if there are none. Only the first failures get a
// hint, because more would cost more than they help.
func (l *loader) nameHint(name string, candidates func() []string, has, otherwise string) string {
	if !l.hints {
		return ""
	}
	names := candidates()
	if len(names) == 0 {
		return otherwise
	}
	if near := finding.DidYouMean(name, names); near != "" {
		return near
	}
	return listing(has, names, itself)
}

// pointerHint returns the hint for a JSON Pointer of which only the first tokens
// resolve, to the value reached.
func (l *loader) pointerHint(u *unit, tokens []string, followed int, reached *Value) string {
	if !l.hints {
		return ""
	}
	at := func(name string) string { return "#" + joinTokens(append(slices.Clone(tokens[:followed]), name)) }
	if near := finding.Closest(tokens[followed], reached.names()); near != "" {
		return "did you mean " + finding.Quote(at(near)) + "?"
	}
	switch {
	case u.api != 0 && u.within(tokens) != "":
		return "did you mean " + finding.Quote("#"+u.within(tokens)) + "? In a document of AsyncAPI, a pointer begins at the root of the file"
	case u.byPointer[joinTokens(tokens[:followed])] != nil: // a keyword is missing, and the other members are no schemas
		if definitions := u.definitionPointers(); len(definitions) > 0 {
			return listing("the definitions of the file are", definitions, itself)
		}
	case reached.Kind == Object && len(reached.Members) > 0:
		return listing("the members are", reached.names(), at)
	case reached.Kind == Array && len(reached.Items) > 0:
		return fmt.Sprintf("its items are %s to %s", finding.Quote(at("0")), finding.Quote(at(fmt.Sprint(len(reached.Items)-1))))
	}
	return "add the schema at " + finding.Quote("#"+joinTokens(tokens))
}

// within returns the pointer to the only schema of the file that has a pointer like the
// given one inside another schema; "" if there is none.
func (u *unit) within(tokens []string) string {
	found, end := "", joinTokens(tokens)
	for pointer := range u.byPointer {
		if strings.HasSuffix(pointer, end) && u.byPointer[strings.TrimSuffix(pointer, end)] != nil {
			if found != "" {
				return ""
			}
			found = pointer
		}
	}
	return found
}

// definitionPointers lists where the definitions of the file are.
func (u *unit) definitionPointers() []string {
	var pointers []string
	for pointer := range u.byPointer {
		for _, at := range definitionsAt() {
			if name, ok := strings.CutPrefix(pointer, at); ok && !strings.Contains(name, "/") {
				pointers = append(pointers, "#"+pointer)
			}
		}
	}
	return pointers
}

// schemaHint returns a schema for a reference to v, which is not a schema: an item of
// it, or the schema around it.
func (u *unit) schemaHint(tokens []string, v *Value) string {
	for i, item := range v.Items {
		if item.Kind == Object {
			return "refer to one of its items, such as " + finding.Quote("#"+joinTokens(append(slices.Clone(tokens), fmt.Sprint(i))))
		}
	}
	for i := len(tokens) - 1; i > 0; i-- {
		if pointer := joinTokens(tokens[:i]); u.byPointer[pointer] != nil {
			return "the enclosing schema is " + finding.Quote("#"+pointer)
		}
	}
	return "refer to a schema, such as one under $defs"
}

// anchorHint returns the hint for a missing anchor.
func (l *loader) anchorHint(r *resource, name string) string {
	if !l.hints {
		return ""
	}
	if own := r.unit.ownPlace(name); own != "" {
		return "did you mean " + finding.Quote(own) + "?"
	}
	anchors := slices.Collect(maps.Keys(r.anchors))
	if finding.Closest(name, anchors) == "" && r.root != nil && slices.ContainsFunc(r.root.Defs, func(p Property) bool { return p.Name == name }) {
		return "did you mean " + finding.Quote(r.root.defsPointer()+"/"+name) + "?"
	}
	otherwise := "refer to the schema by its path, as in " + finding.Quote("#/$defs/"+name)
	if isAnchor(name) {
		otherwise = "add $anchor: " + name + " to the schema, or " + otherwise
	}
	return l.nameHint(name, func() []string { return anchors }, "its anchors are", otherwise)
}

// ownPlace returns the reference to a schema of the file that was written without "#/",
// as definitions/x, or as the bare name of a definition; "" if there is none.
func (u *unit) ownPlace(written string) string {
	if isAnchor(written) {
		for _, at := range definitionsAt() {
			if pointer := at + EscapeToken(written); u.byPointer[pointer] != nil {
				return "#" + pointer
			}
		}
	}
	pointer := "/" + strings.TrimPrefix(written, "/")
	if !strings.Contains(pointer[1:], "/") || u.byPointer[pointer] == nil {
		return ""
	}
	return "#" + pointer
}

// defsPointer returns how a fragment reaches the definitions of s.
func (s *Schema) defsPointer() string {
	if _, ok := s.At["$defs"]; ok {
		return "#/$defs"
	}
	return "#/definitions"
}

// reachOutside is the hint for a file outside the folder of the project file.
const reachOutside = "move the project file up to a folder that contains it, such as the root of the repository, or copy the file into the project"

// fileHint returns the hint for a file that cannot be read.
func (l *loader) fileHint(name, problem string) string {
	schemas := func(names []string) []string {
		return slices.DeleteFunc(names, func(n string) bool { return !isSchemaFile(n) || n == l.configFile })
	}
	switch {
	case !l.hints:
		return ""
	case problem == errFolder.Error():
		return listing("refer to a file in it", schemas(l.neighbors(path.Join(name, "_"))), func(n string) string { return path.Base(name) + "/" + n })
	case problem == leadsOutside:
		return reachOutside
	case problem != noSuchFile:
		return "refer to a readable file of the project"
	}
	names := l.neighbors(name)
	if near := finding.DidYouMean(path.Base(name), names); near != "" {
		return near
	}
	for _, other := range slices.Sorted(maps.Keys(l.units)) {
		if path.Base(other) == path.Base(name) {
			return fmt.Sprintf("did you mean %s? write its path relative to the folder of this file", finding.Quote(other))
		}
	}
	if names = schemas(names); len(names) > 0 {
		return listing("the schema files in that folder are", names, itself)
	}
	return "add the file, or correct the path, which is relative to the folder of this file"
}

// neighbors lists the files in the folder of the file called name.
func (l *loader) neighbors(name string) []string {
	entries, err := fs.ReadDir(l.fsys, path.Dir(name))
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// idHint returns an id similar to id; if the rest is the same, it compares the last
// part.
func (l *loader) idHint(id string) string {
	const otherwise = "copy the file with this $id into the project, or move the project file up into a folder that contains it"
	if !l.hints {
		return otherwise
	}
	cut := strings.LastIndexByte(id, '/') + 1
	last := map[string]string{}
	ids := slices.Collect(maps.Keys(l.index()))
	for _, other := range slices.AppendSeq(ids, maps.Keys(l.ids)) {
		if len(other) >= cut && other[:cut] == id[:cut] {
			last[other[cut:]] = other
		}
	}
	if near := finding.Closest(id[cut:], slices.Collect(maps.Keys(last))); near != "" {
		return "did you mean " + finding.Quote(last[near]) + "?"
	}
	return otherwise
}
