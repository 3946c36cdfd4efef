package schema

import (
	"fmt"
	"mime"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// schemaFormat returns the level of the dialect that a schemaFormat of AsyncAPI names.
// given is false if it names JSON Schema without a version. problem is "" if it can be
// read.
func schemaFormat(text string) (level int, given bool, problem string) {
	media, parameters, err := mime.ParseMediaType(text)
	if err != nil {
		return 0, false, "it is not a media type"
	}
	version := parameters["version"]
	switch media {
	case "application/vnd.aai.asyncapi", "application/vnd.aai.asyncapi+json", "application/vnd.aai.asyncapi+yaml":
		return level7, true, ""
	case "application/schema", "application/schema+json", "application/schema+yaml":
		for level, d := range dialects {
			if version == string(d) || strings.TrimSuffix(version, "/schema") == "draft/"+string(d) {
				return level, true, ""
			}
		}
		if d, latest, ok := standardDialect(version); ok && !latest {
			return d.level(), true, ""
		}
		if version == "" {
			return level2020, false, ""
		}
		return 0, false, "it is a version of JSON Schema that outboxgen does not know"
	case "application/vnd.oai.openapi", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+yaml":
		switch {
		case version == "2.0", version == "3.0", strings.HasPrefix(version, "3.0."):
			return level4, true, ""
		case version == "3.1", strings.HasPrefix(version, "3.1."):
			return level2020, true, ""
		}
		return 0, false, "it is a version of OpenAPI that outboxgen does not know"
	}
	for prefix, what := range map[string]string{
		"application/vnd.apache.avro": "Avro", "application/vnd.google.protobuf": "protobuf",
		"application/raml": "RAML", "application/x-protobuf": "protobuf", "avro/": "Avro", "application/avro": "Avro",
	} {
		if strings.HasPrefix(media, prefix) {
			return 0, false, "it is " + what + otherThanJSON
		}
	}
	return 0, false, "it is not a format of JSON Schema"
}

const otherThanJSON = ", and outboxgen reads JSON Schema only"

const formatHint = "write the schema in JSON Schema with schemaFormat: application/schema+json;version=draft-07, " +
	"leave the message out with x-outbox: false, or describe its event in a schema file of its own"

// multiFormat returns the schemaFormat of a Multi Format Schema Object of AsyncAPI 3; ok
// is false if v is none.
func (u *unit) multiFormat(v *Value) (format *Value, ok bool) {
	if u.api < 3 || v.Kind != Object {
		return nil, false
	}
	format = v.Member("schemaFormat")
	return format, format != nil && v.Member("schema") != nil
}

// formatted sets the dialect of the schema at pointer from its schemaFormat.
func (u *unit) formatted(pointer string, format *Value) *failure {
	if format.Kind != String {
		return &failure{id: "wrong-type", message: "schemaFormat must be a string, not " + format.Describe()}
	}
	level, given, problem := schemaFormat(format.Text)
	if problem != "" {
		return &failure{id: "asyncapi-schema-format", message: fmt.Sprintf("the schemaFormat %s cannot be read: %s", finding.Quote(format.Text), problem), hint: formatHint,
			otherFormat: strings.HasSuffix(problem, otherThanJSON)}
	}
	if given || level == level2020 {
		if u.doc.levels == nil {
			u.doc.levels = map[string]int{}
		}
		u.doc.levels[pointer] = level
	}
	return nil
}

// levelAt returns the dialect of a place that no keyword makes a schema.
func (d *Document) levelAt(pointer string, otherwise int) int {
	if level, given := d.givenLevel(pointer); given {
		return level
	}
	return otherwise
}

// givenLevel returns the dialect that a schemaFormat gives to a place.
func (d *Document) givenLevel(pointer string) (level int, given bool) {
	if len(d.levels) == 0 {
		return 0, false
	}
	if level, given = d.levels[pointer]; given {
		return level, true
	}
	known := func(pointer string) bool { _, ok := d.levels[pointer]; return ok }
	at, given := outer(pointer, known)
	return d.levels[at], given
}

// apiPayload reads the payload of a message: the event data or, if x-outbox says so, a
// record's value with the event data inside it. It returns nil if there is none that can
// be read, which was reported.
func (l *loader) apiPayload(m *apiMessage) *Schema {
	if !l.jsonContent(m) {
		return nil
	}
	payload, ok := m.at.member("payload")
	if !ok || payload.value.Kind == Null { // some tools write null
		l.list.Warnf(m.at.value.Pos, "asyncapi-payload-missing", "the message has no payload, so its event data can be any value").
			SetHint("add payload, the schema of the event data")
		anything := &Value{Pos: m.at.value.Pos, Kind: Bool, Bool: true}
		return l.builder(m.at.unit, m.at.unit.resources[0]).schema(anything, join(m.at.pointer, "payload"))
	}
	if !l.formatOfMessage(m) {
		return nil
	}
	if format := m.merged.Member("schemaFormat"); format != nil && m.document.major == 2 {
		if f := payload.unit.formatted(payload.pointer, format); f != nil {
			l.unreadable(format.Pos, f)
			return nil
		}
		if n, ok := l.schemaNode(payload); ok && n.unit.api != 0 {
			n.unit.formatted(n.pointer, format) // it was valid just now
		}
	}
	if !l.describedIn(m, payload) {
		return nil
	}
	if m.x != nil && m.x.Wrapped {
		if payload, ok = l.wrapped(m, payload); !ok {
			return nil
		}
	}
	tokens, _ := pointerTokens(payload.pointer)
	s, f := l.lazy(payload.unit.resources[0], tokens)
	if f != nil {
		if f.message != "" {
			l.list.Errorf(payload.value.Pos, f.id, "%s", f.message).SetHint(f.hint)
		}
		return nil
	}
	return s
}

// formatOfMessage returns false for a message of AsyncAPI 3 with a schemaFormat beside its
// payload, where AsyncAPI 2 has it, if that is not JSON Schema. It reports it.
func (l *loader) formatOfMessage(m *apiMessage) bool {
	format := m.merged.Member("schemaFormat")
	if format == nil || m.document.major == 2 {
		return true
	}
	if format.Kind == String {
		if _, _, problem := schemaFormat(format.Text); strings.HasSuffix(problem, otherThanJSON) {
			l.unreadable(format.Pos, &failure{id: "asyncapi-schema-format", message: fmt.Sprintf("the schemaFormat %s cannot be read: %s", finding.Quote(format.Text), problem),
				hint: formatHint, otherFormat: true})
			return false
		}
	}
	return true
}

// jsonContent reports a message whose content type is not JSON.
func (l *loader) jsonContent(m *apiMessage) bool {
	content := m.merged.Member("contentType")
	if content == nil {
		content = m.document.content
	}
	if content == nil || content.Kind != String {
		return true
	}
	media, _, err := mime.ParseMediaType(content.Text)
	if err == nil && (media == "application/json" || strings.HasSuffix(media, "+json") || media == "text/json") {
		return true
	}
	l.unreadable(content.Pos, &failure{
		id:      "asyncapi-content-type",
		message: fmt.Sprintf("the content type of the message at line %d is %s; outboxgen writes and reads JSON only", m.at.value.Pos.Line, finding.Quote(content.Text)),
		hint:    "write contentType: application/json, or leave the message out with x-outbox: false", otherFormat: err == nil,
	})
	return false
}

// unreadable reports what makes a message no JSON. If nothing describes its event, the
// message is left out: the document may be about more than outboxgen can read.
func (l *loader) unreadable(pos finding.Pos, f *failure) {
	m := l.undescribed
	if m == nil || !f.otherFormat {
		l.list.Errorf(pos, f.id, "%s", f.message).SetHint(f.hint)
		return
	}
	m.left = true
	l.list.Warnf(pos, "asyncapi-not-json", "%s, so the message is no event", f.message).
		SetHint("to leave the message out without this warning, write x-outbox: false in it, or under events: in the project file {schema: " +
			finding.Quote(m.at.unit.doc.Path+"#"+m.at.pointer) + ", event: false}")
}

// describedIn reads x-outbox in the payload of a message, or in the schema that the
// payload refers to. It reports whether the payload can be found.
func (l *loader) describedIn(m *apiMessage, payload node) bool {
	n, ok := l.schemaNode(payload)
	if !ok {
		return false
	}
	x := n.value.member("x-outbox")
	if x == nil || marksAlone(x.Value, n.pointer == "") {
		return true
	}
	if n.unit.api == 0 && n.pointer == "" {
		if s := n.unit.doc.Root; s != nil && s.Outbox != nil {
			m.own = s
		}
		return true
	}
	if n.unit.api == 0 {
		return true // the place is wrong, which is reported there
	}
	if n.unit.described == nil {
		n.unit.described = map[string]bool{}
	}
	n.unit.described[n.pointer] = true
	if refuses(n.value) {
		m.left = true
		return true
	}
	marks := &Marks{Pos: x.Pos}
	l.apiExtension(m, x.Pos, x.Value, marks)
	l.marks = append(l.marks, placedMarks{node: n, marks: marks})
	return true
}

// placedMarks are marks that stand beside the description of an event in a payload.
type placedMarks struct {
	node  node
	marks *Marks
}

// setMarks gives the schemas of payloads the marks beside their events.
func (l *loader) setMarks() {
	for _, p := range l.marks {
		if s := p.node.unit.byPointer[p.node.pointer]; s != nil {
			s.Marks = p.marks
		}
	}
}

// schemaNode follows the references of a schema to the schema itself.
func (l *loader) schemaNode(n node) (node, bool) {
	for range maxAPIRefs {
		format, ok := n.unit.multiFormat(n.value)
		if ok {
			if f := n.unit.formatted(join(n.pointer, "schema"), format); f != nil {
				l.unreadable(format.Pos, f)
				return node{}, false
			}
			n = n.inside("schema")
			continue
		}
		if n.value.Kind != Object || n.value.Member("$ref") == nil {
			return n, true
		}
		next, ok := l.derefAs(n, n.unit.readingSchemas(n.pointer))
		if !ok || next.place() == n.place() {
			return next, ok
		}
		n = next
	}
	l.brokenRef(n.unit, n.value, failure{id: "reference-circle", message: fmt.Sprintf("more than %d references in a row", maxAPIRefs)})
	return node{}, false
}

// dataOf returns the property data of a schema, of what it refers to, or of a part of its
// allOf.
func (l *loader) dataOf(n node, seen map[apiPlace]bool) (data node, ok bool) {
	if seen[n.place()] {
		return node{}, false
	}
	seen[n.place()] = true
	if properties, _ := n.member("properties"); properties.value != nil {
		if data, ok := properties.member("data"); ok {
			return data, true
		}
	}
	parts, _ := n.member("allOf")
	if parts.value == nil || parts.value.Kind != Array {
		return node{}, false
	}
	// The last part is the most special one: the first is often the base.
	for i := len(parts.value.Items) - 1; i >= 0; i-- {
		if part, ok := l.schemaNode(parts.item(i)); ok {
			if data, ok := l.dataOf(part, seen); ok {
				return data, true
			}
		}
	}
	return node{}, false
}

// wrapped returns the event data in a payload that describes a whole record.
func (l *loader) wrapped(m *apiMessage, payload node) (node, bool) {
	n, ok := l.schemaNode(payload)
	if !ok {
		return node{}, false
	}
	if data, ok := l.dataOf(n, map[apiPlace]bool{}); ok {
		return data, true
	}
	l.list.Errorf(m.x.Place("payload", m.at.value.Pos), "asyncapi-envelope-data", "x-outbox says that the payload is the envelope, but the payload at line %d has no property data", n.value.Pos.Line).
		SetHint("describe the event data in the property data, or remove payload: envelope")
	return node{}, false
}
