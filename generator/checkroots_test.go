package generator_test

import (
	"strings"
	"testing"
)

// The check judges event data of any JSON type as it judges objects.
func TestCheckEventDataThatIsNoObject(t *testing.T) {
	t.Parallel()
	const head = "$id: https://schemas.example.com/order_placed.v1\ntitle: OrderPlaced\ndescription: d\nx-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}\n"
	const (
		message = "type: array\nminItems: 2\nmaxItems: 2\nprefixItems: [{type: integer, description: d}, {type: string, description: d, maxLength: 9}]\nitems: false\n"
		list    = "type: array\nitems: {type: string, description: d, maxLength: 9}\n"
		text    = "type: string\nmaxLength: 9\n"
		object  = "type: object\nproperties: {a: {type: string, description: d}}\n"
	)
	for name, test := range map[string]struct{ old, now, want string }{
		"the same list":        {list, list, "PASS"},
		"a shorter item":       {list, strings.Replace(list, "9", "8", 1), "max-length-decreased"},
		"a shorter position":   {message, strings.Replace(message, "9", "8", 1), "max-length-decreased"},
		"a position less":      {message, strings.Replace(message, ", {type: string, description: d, maxLength: 9}", "", 1), "item-removed-from-closed-model"},
		"a shorter string":     {text, strings.Replace(text, "9", "8", 1), "max-length-decreased"},
		"a longer string":      {text, strings.Replace(text, "9", "10", 1), "PASS"},
		"an object, a list":    {object, list, "type-changed"},
		"a string, an integer": {text, "type: integer\n", "type-changed"},
		"null as well":         {list, strings.Replace(list, "array", "[array, 'null']", 1), "PASS"},
		"null no longer":       {strings.Replace(list, "array", "[array, 'null']", 1), list, "type-narrowed"},
		"anything":             {"", text, "type-narrowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.write("outboxgen.yaml", project)
			r.write(v1, head+test.old)
			r.commit("first")
			r.write(v1, head+test.now)
			if got := r.verdict("HEAD"); got != test.want {
				t.Errorf("check says %s, not %s", got, test.want)
			}
		})
	}
	t.Run("the whole value for a parameter", func(t *testing.T) {
		t.Parallel()
		r := newRepo(t)
		r.write("outboxgen.yaml", project)
		r.write(v1, head+text)
		r.commit("first")
		r.replace(v1, "{type: order}", "{type: order, id: ''}")
		if got := r.verdict("HEAD"); got != "aggregate-id-changed" {
			t.Errorf("check says %s", got)
		}
	})
}
