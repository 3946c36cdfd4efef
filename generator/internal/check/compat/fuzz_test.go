package compat_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// FuzzCheck compares any two schemas that load. The comparison ends, a schema is
// compatible with itself, a new description is compatible in both directions, FORWARD
// is BACKWARD with the two exchanged, and the lenient policy allows everything that the
// strict one allows.
func FuzzCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil || len(files) == 0 {
		f.Fatal("no cases to begin with", err)
	}
	for _, file := range append(files, "testdata/generated.txt") {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for text := range strings.SplitSeq(string(src), "\n\n") {
			if lines := strings.Split(text, "\n"); len(lines) > 2 {
				f.Add(lines[1], lines[2])
			}
		}
	}
	f.Fuzz(func(t *testing.T, oldText, newText string) {
		old, now := sound(oldText), sound(newText)
		if old == nil || now == nil {
			return
		}
		for _, policy := range []compat.Policy{compat.Strict, compat.Lenient, compat.Generated} {
			for _, s := range []*schema.Schema{old, now} {
				if changes := compat.Check(s, []*schema.Schema{s}, compat.Full, policy); len(changes) > 0 {
					t.Errorf("a schema against itself: %v", changes)
				}
			}
			if again := sound(newText); again != nil {
				described := sound(describe(newText))
				if described == nil {
					continue
				}
				for _, c := range compat.Check(described, []*schema.Schema{again}, compat.Full, policy) {
					t.Errorf("with a description: %s %s", c.ID, c.Message)
				}
			}
		}
		strict := compat.Check(now, []*schema.Schema{old}, compat.Backward, compat.Strict)
		lenient := compat.Check(now, []*schema.Schema{old}, compat.Backward, compat.Lenient)
		if compat.Compatible(strict) && !compat.Compatible(lenient) {
			t.Errorf("the strict policy allows what the lenient one does not: %v", lenient)
		}
		for _, policy := range []compat.Policy{compat.Strict, compat.Lenient, compat.Generated} {
			backward := compat.Check(now, []*schema.Schema{old}, compat.Backward, policy)
			forward := compat.Check(old, []*schema.Schema{now}, compat.Forward, policy)
			if grows := strings.Contains(oldText+newText, "grows"); !grows && compat.Compatible(backward) != compat.Compatible(forward) {
				t.Errorf("%s: forward is not backward with the two exchanged: %v and %v", policy, backward, forward)
			}
		}
	})
}

func sound(text string) *schema.Schema {
	p, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", schema.Draft202012)
	if err != nil || list.HasErrors() {
		return nil
	}
	return p.Document("a.json").Root
}

var opening = regexp.MustCompile(`^\s*\{\s*"`)

// describe adds a description at the root.
func describe(text string) string {
	if !opening.MatchString(text) || strings.Contains(text, "description") {
		return text
	}
	return `{"description": "for the fuzzer", ` + strings.TrimPrefix(strings.TrimSpace(text), "{")
}
