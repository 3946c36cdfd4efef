package lint_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// warned loads a project with one file, and returns the warnings of the loader and more
// that lint leaves, each with the place that the file of accepted findings names.
func warned(t *testing.T, file, text, id string, more func(*schema.Project) []finding.Finding) []string {
	t.Helper()
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: shop\nout: events\nschemas: [" + file + "]\n")}, file: {Data: []byte(text)},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	found := list.Sorted()
	if more != nil {
		found = append(found, more(p)...)
	}
	var got []string
	for _, f := range lint.Lint(p, found...) {
		if f.ID == id || f.ID == "suppression-unused" {
			got = append(got, f.ID+" "+f.Pos.String()+" #"+f.Pointer)
		}
	}
	return got
}

// A warning about a message of AsyncAPI belongs to its payload, wherever it stands and
// in whatever order the members of the message are.
func TestWarningsBelongToTheirMessage(t *testing.T) {
	t.Parallel()
	const head = "asyncapi: 2.6.0\ninfo: {title: shop, version: 1.0.0}\n"
	const payload = "      payload: {type: object, properties: {last: {type: string}}}\n"
	messages := func(a, b string) string {
		return head + "channels: {a: {subscribe: {message: {$ref: '#/components/messages/A'}}}, b: {subscribe: {message: {$ref: '#/components/messages/B'}}}}\ncomponents:\n  messages:\n    A:\n" + a + "    B:\n" + b
	}
	const a, b = "/components/messages/A/payload", "/components/messages/B/payload"
	suppress := func(id string) string { return "      x-outbox: {suppress: {" + id + ": known}}\n" }
	for name, tc := range map[string]struct {
		id, text string
		want     []string
	}{
		"nothing suppressed": {
			"asyncapi-aggregate", messages("      name: a.v1\n"+payload, "      name: b.v1\n"+payload),
			[]string{"asyncapi-aggregate api.yaml:7:7 #" + a, "asyncapi-aggregate api.yaml:10:7 #" + b},
		},
		"in the second, before the payload": {
			"asyncapi-aggregate", messages("      name: a.v1\n"+payload, suppress("asyncapi-aggregate")+"      name: b.v1\n"+payload),
			[]string{"asyncapi-aggregate api.yaml:7:7 #" + a},
		},
		"in the second, behind the payload": {
			"asyncapi-aggregate", messages("      name: a.v1\n"+payload, "      name: b.v1\n"+payload+suppress("asyncapi-aggregate")),
			[]string{"asyncapi-aggregate api.yaml:7:7 #" + a},
		},
		"in the first": {
			"asyncapi-aggregate", messages(suppress("asyncapi-aggregate")+"      name: a.v1\n"+payload, "      name: b.v1\n"+payload),
			[]string{"asyncapi-aggregate api.yaml:11:7 #" + b},
		},
		"in the payload of the first": {
			"asyncapi-aggregate",
			messages("      name: a.v1\n"+strings.Replace(payload, "{type: object", "{x-outbox: {suppress: {asyncapi-aggregate: known}}, type: object", 1), "      name: b.v1\n"+payload),
			[]string{"asyncapi-aggregate api.yaml:10:7 #" + b},
		},
		"about its channel": {
			"asyncapi-topic",
			head + "channels:\n  a/b:\n    subscribe:\n      message:\n        x-outbox: {suppress: {asyncapi-topic: known}}\n        name: a.v1\n        payload: {type: object}\n" +
				"  c/d:\n    subscribe:\n      message:\n        name: b.v1\n        payload: {type: object}\n",
			[]string{"asyncapi-topic api.yaml:10:3 #/channels/c~1d/subscribe/message/payload"},
		},
		"about no message": {
			"asyncapi-publish",
			head + "channels:\n  a:\n    subscribe:\n      message:\n        name: a.v1\n        payload: {type: object, x-outbox: {suppress: {asyncapi-publish: known}}}\n" +
				"  b:\n    publish:\n      message:\n        name: b.v1\n        payload: {type: object}\n",
			[]string{"asyncapi-publish api.yaml:10:5 #"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, warned(t, "api.yaml", tc.text, tc.id, nil)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A warning at the name of a property belongs to the schema of the property.
func TestWarningsAtNamesBelongToTheirProperty(t *testing.T) {
	t.Parallel()
	at := func(p *schema.Project) []finding.Finding {
		var found []finding.Finding
		root := p.Documents[0].Root
		for _, properties := range [][]schema.Property{root.Then.Properties, root.PatternProperties} {
			for _, property := range properties {
				found = append(found, finding.Finding{Pos: property.Pos, Severity: finding.Warning, ID: "conditional-member", Message: property.Name})
			}
		}
		return found
	}
	const text = "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nthen:\n  properties:\n" +
		"    x: {type: string}\n    y: {type: integer}\npatternProperties:\n  ^x: {type: string}\n  ^y: {type: string}\n"
	suppressed := strings.Replace(text, "y: {type: integer", "y: {type: integer, x-outbox: {suppress: {conditional-member: known}}", 1)
	for _, tc := range []struct {
		text string
		want []string
	}{
		{text, []string{
			"conditional-member a.yaml:6:5 #/then/properties/x", "conditional-member a.yaml:7:5 #/then/properties/y",
			"conditional-member a.yaml:9:3 #/patternProperties/^x", "conditional-member a.yaml:10:3 #/patternProperties/^y",
		}},
		{suppressed, []string{
			"conditional-member a.yaml:6:5 #/then/properties/x", "conditional-member a.yaml:9:3 #/patternProperties/^x", "conditional-member a.yaml:10:3 #/patternProperties/^y",
		}},
	} {
		if diff := cmp.Diff(tc.want, warned(t, "a.yaml", tc.text, "conditional-member", at)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
