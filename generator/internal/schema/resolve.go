package schema

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// projectScheme is the scheme of the base URI of a file without $id: its path
// inside the project.
const projectScheme = "project"

// pendingRef is a reference that is resolved after every file is loaded.
type pendingRef struct {
	ref    *Ref
	at     *Schema // the schema that has it; nil in the config
	from   *resource
	byName bool // it may be the bare name of a definition
}

// failure is the reason why a reference does not resolve.
type failure struct {
	id, message, hint string
	file              *unit // the file that cannot be read, which was reported there
	otherFormat       bool  // a message is in a format that is known, and no JSON
}

// tokens splits a JSON Pointer into the resource into names from the root of its file.
func (r *resource) tokens(pointer string) (tokens []string, problem string) {
	if tokens, problem = pointerTokens(pointer); r.root != nil {
		outer, _ := pointerTokens(r.root.Pointer)
		tokens = slices.Concat(outer, tokens)
	}
	return tokens, problem
}

// resolve sets the target of every reference. Following one may load a file, whose
// references are added to the queue and whose ids may resolve an earlier reference. So
// failed references are tried again until nothing new is found.
func (l *loader) resolve() {
	var open []pendingRef
	for {
		for len(l.pending) > 0 {
			p := l.pending[len(l.pending)-1]
			l.pending = l.pending[:len(l.pending)-1]
			if f := l.follow(p); f != nil {
				open = append(open, p)
			}
		}
		ids := len(l.ids)
		open = slices.DeleteFunc(open, func(p pendingRef) bool { return l.follow(p) == nil })
		if len(l.pending) == 0 && len(l.ids) == ids {
			l.dangling(open)
			return
		}
	}
}

func (l *loader) dangling(open []pendingRef) {
	for i, p := range open {
		l.hints = i < maxHints
		f := l.follow(p)
		if f == nil || f.message == "" && f.file == nil {
			continue
		}
		found := finding.Finding{Pos: p.ref.Pos, ID: f.id, Message: f.message, Hint: f.hint}
		if p.byName && p.from.unit.foreign {
			found.Severity = finding.Warning // a discriminator does not affect validation
		}
		l.misfit = append(l.misfit, misfit{finding: found, at: p.at, file: f.file})
	}
}

// follow resolves one reference, or returns why it cannot. A failure without a message
// was reported in the file referred to.
func (l *loader) follow(p pendingRef) *failure {
	if p.byName {
		if s := definition(p.from.unit, p.ref.Text); s != nil {
			p.ref.Target = s
			return nil
		}
		if isAnchor(p.ref.Text) && path.Ext(p.ref.Text) == "" {
			return &failure{id: "dangling-reference", message: fmt.Sprintf("%s has no definition %s", finding.Quote(p.from.unit.doc.Path), finding.Quote(p.ref.Text)),
				hint: l.nameHint(p.ref.Text, p.from.unit.definitions, "its definitions are", "add it under $defs")}
		}
	}
	defer func(before reading) { l.reading = before }(l.reading)
	pointer := ""
	if p.at != nil {
		pointer = p.at.Pointer
	}
	l.reading = p.from.unit.readingSchemas(pointer)
	u, err := url.Parse(p.ref.Text)
	if err != nil {
		return &failure{id: "bad-reference", message: finding.Quote(p.ref.Text) + " is not a URI reference",
			hint: "percent-encode special characters"}
	}
	to, f := l.resource(p.from, u)
	if f != nil {
		return f
	}
	target, f := l.fragment(to, u.Fragment)
	if f != nil {
		return f
	}
	p.ref.Target = target
	if from := p.from.unit.doc; !slices.Contains(from.refers, target.Doc) {
		from.refers = append(from.refers, target.Doc)
	}
	return nil
}

// definitionsAt returns the places where files keep definitions.
func definitionsAt() []string { return []string{"/components/schemas/", "/$defs/", "/definitions/"} }

// definitions lists the names that a discriminator may use without a path.
func (u *unit) definitions() []string {
	names := u.definitionPointers()
	for i, pointer := range names {
		names[i] = pointer[strings.LastIndexByte(pointer, '/')+1:]
	}
	return names
}

// definition returns the schema that a discriminator names without a path.
func definition(u *unit, name string) *Schema {
	for _, at := range definitionsAt() {
		if s := u.byPointer[at+EscapeToken(name)]; s != nil {
			return s
		}
	}
	return nil
}

// resource finds the resource for the part of u before the fragment: a resource of the
// project with that id, or a local file.
func (l *loader) resource(from *resource, u *url.URL) (*resource, *failure) {
	if u.Scheme == "" && u.Opaque == "" && u.Host == "" && u.Path == "" && u.RawQuery == "" {
		return from, nil
	}
	local := u.Scheme == "" && u.Host == "" && u.RawQuery == "" && u.Path != ""
	name := strings.TrimPrefix(u.Path, "/")
	if local && !path.IsAbs(u.Path) {
		name = path.Join(path.Dir(from.unit.doc.Path), u.Path)
	}
	name = path.Clean(name)
	outside := local && (name == ".." || strings.HasPrefix(name, "../"))
	byFile := from.base.Scheme == projectScheme
	if outside && byFile {
		return nil, outsideFailure(u)
	}
	target := from.base.ResolveReference(u)
	target.Fragment, target.RawFragment = "", ""
	id := target.String()
	if r := l.ids[id]; r != nil {
		return r, nil
	}
	if r := l.metaschema(id); r != nil {
		return r, nil
	}
	if byFile && target.Scheme == projectScheme && local {
		// A relative $id in an inner schema changes the folder of the base.
		if r, f := l.localFile(strings.TrimPrefix(path.Clean(target.Path), "/")); f == nil {
			return r, nil
		}
	}
	switch {
	case outside:
		return nil, outsideFailure(u)
	case local:
		r, f := l.localFile(name)
		if f == nil {
			return r, nil
		}
		if other := l.byID(id); other != nil {
			return other, nil
		}
		called := l.byName(from.name.ResolveReference(u))
		if len(called) == 1 {
			return called[0], nil
		}
		if !byFile {
			f.message += fmt.Sprintf(", and no schema in the project has the $id %s", finding.Quote(id))
		}
		if len(called) > 1 {
			f.message += fmt.Sprintf(", and several schemas have the $id %s: %s", finding.Quote(called[0].root.ID), quotedList(paths(called), maxListed))
			f.hint = "refer to one of them by its path from the folder of this file"
		}
		if own := from.unit.ownPlace(u.Path); own != "" && l.hints {
			f.hint = "did you mean " + finding.Quote(own) + "?"
		}
		return r, f
	case strings.EqualFold(u.Scheme, "file"):
		return l.fileURI(from, u)
	}
	if r := l.byID(id); r != nil {
		return r, nil
	}
	if target.Scheme == projectScheme {
		id = u.String()
	}
	return nil, &failure{
		id:      "unknown-id",
		message: fmt.Sprintf("no schema in the project has the $id %s, and references are never fetched", finding.Quote(id)),
		hint:    l.idHint(id),
	}
}

func outsideFailure(u *url.URL) *failure {
	return &failure{id: "outside-project", message: finding.Quote(u.Path) + " points outside the project",
		hint: reachOutside}
}

// localFile loads the file at name. The extension may be omitted.
func (l *loader) localFile(name string) (*resource, *failure) {
	u, problem := l.file(name)
	if problem != "" && !isSchemaFile(name) {
		for _, ending := range []string{".json", ".yaml", ".yml"} {
			if other, p := l.file(name + ending); p == "" {
				u, problem = other, ""
				break
			}
		}
	}
	if problem != "" {
		return nil, &failure{id: "unknown-file", message: fmt.Sprintf("%s: %s", finding.Quote(name), problem), hint: l.fileHint(name, problem)}
	}
	return u.resources[0], nil
}

// fragment finds the target of a fragment in a resource: its root if the fragment is
// empty, a JSON Pointer, or an anchor.
func (l *loader) fragment(r *resource, fragment string) (*Schema, *failure) {
	u := r.unit
	switch {
	case u.value == nil:
		return nil, &failure{file: u}
	case fragment == "":
		if r.root == nil {
			return l.lazy(r, nil)
		}
		return r.root, nil
	case strings.HasPrefix(fragment, "/"):
		tokens, problem := pointerTokens(fragment)
		if problem != "" {
			return nil, &failure{id: "bad-reference", message: finding.Quote("#"+fragment) + ": " + problem}
		}
		return l.lazy(r, tokens)
	}
	if s := r.anchors[fragment]; s != nil {
		return s, nil
	}
	return nil, &failure{id: "unknown-anchor", message: fmt.Sprintf("%s has no anchor %s", finding.Quote(u.doc.Path), finding.Quote(fragment)),
		hint: l.anchorHint(r, fragment)}
}

// lazy returns the schema at a JSON Pointer in a resource. A place that no keyword
// makes a schema, such as the components of an OpenAPI file, becomes one when it is
// referred to.
func (l *loader) lazy(r *resource, tokens []string) (*Schema, *failure) {
	u := r.unit
	prefix := ""
	if r.root != nil {
		prefix = r.root.Pointer
	}
	pointer := prefix + joinTokens(tokens)
	if s := u.byPointer[pointer]; s != nil {
		return s, nil
	}
	all, _ := pointerTokens(pointer)
	v, followed, reached := u.value.at(all)
	switch {
	case v == nil && u.api != 0 && refers(reached):
		n, f := l.reach(u, all)
		if f != nil {
			return nil, f
		}
		tokens, _ = pointerTokens(n.pointer)
		return l.lazy(n.unit.resources[0], tokens)
	case v == nil:
		return nil, &failure{id: "dangling-reference", message: fmt.Sprintf("%s has nothing at %s",
			finding.Quote(u.doc.Path), finding.Quote("#"+joinTokens(all[:followed+1]))), hint: l.pointerHint(u, all, followed, reached)}
	}
	if format, ok := u.multiFormat(v); ok && !u.inSchema(pointer) {
		inner := append(slices.Clone(tokens), "schema")
		if f := u.formatted(prefix+joinTokens(inner), format); f != nil {
			return nil, f
		}
		return l.lazy(r, inner)
	}
	if v.Kind != Object && v.Kind != Bool {
		return nil, &failure{
			id: "not-a-schema", message: fmt.Sprintf("%s points to %s, not to a schema", finding.Quote("#"+pointer), v.Describe()),
			hint: u.schemaHint(all, v),
		}
	}
	keyword, at := l.insideKeyword(u, all)
	if f := l.refused(all, keyword, at, v); f != nil {
		return nil, f
	}
	b := l.builder(u, u.enclosing(pointer))
	b.level = u.doc.levelAt(pointer, b.level)
	s := b.schema(v, pointer)
	if s == nil {
		return nil, &failure{}
	}
	if keyword != "" {
		f := u.found.Warnf(v.Pos, "not-a-schema",
			"a reference points here, to %s; %s contains no schema there, but this is read as one", finding.Quote("#"+pointer), keyword)
		if !u.foreign {
			f.SetHint("move it into its own definition")
		}
	}
	return s, nil
}

// insideKeyword returns the keyword on the path that is not a schema, and its index in
// tokens; "" if there is none.
func (l *loader) insideKeyword(u *unit, tokens []string) (keyword string, at int) {
	for i := len(tokens) - 1; i >= 0; i-- {
		if u.byPointer[joinTokens(tokens[:i])] == nil {
			continue
		}
		if _, ok := l.words[tokens[i]]; ok {
			return tokens[i], i
		}
		return "", 0
	}
	return "", 0
}

// refused returns why the object or boolean v, below a keyword that is not a schema, is
// not read as a schema: it has schemas by name, or settings. The specification does not
// define such a reference. Anything else is read as the schema that it looks like.
func (l *loader) refused(tokens []string, keyword string, at int, v *Value) *failure {
	here := finding.Quote("#" + joinTokens(tokens))
	switch keyword {
	case "x-outbox", "discriminator", "$vocabulary", "externalDocs", "xml":
		return &failure{
			id: "not-a-schema", message: fmt.Sprintf("%s is part of %s, not a schema", here, keyword),
			hint: fmt.Sprintf("refer to the schema that contains %s, %s", keyword, finding.Quote("#"+joinTokens(tokens[:at]))),
		}
	case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired", "dependencies":
		if len(tokens) == at+1 {
			f := &failure{id: "not-a-schema", message: here + " is not a schema"}
			if l.hints {
				f.hint = listing("refer to one of its members", v.names(), func(name string) string { return "#" + joinTokens(append(slices.Clone(tokens), name)) })
			}
			return f
		}
	}
	return nil
}

// inSchema reports whether a pointer leads into a schema that was read.
func (u *unit) inSchema(pointer string) bool {
	_, ok := outer(pointer, func(at string) bool { return u.byPointer[at] != nil })
	return ok
}

// enclosing returns the innermost resource that contains pointer.
func (u *unit) enclosing(pointer string) *resource {
	best := u.resources[0]
	for _, r := range u.resources[1:] {
		at := r.root.Pointer
		if (pointer == at || strings.HasPrefix(pointer, at+"/")) && (best.root == nil || len(at) > len(best.root.Pointer)) {
			best = r
		}
	}
	return best
}
