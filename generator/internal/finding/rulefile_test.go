package finding

import (
	"bytes"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// readFiles records the files that are read.
type readFiles struct {
	fs.FS
	names map[string]bool
}

func (r readFiles) Open(name string) (fs.File, error) {
	r.names[name] = true
	return r.FS.Open(name)
}

// The embedded files have no error, and none of them is left out.
func TestRuleBook(t *testing.T) {
	t.Parallel()
	read := readFiles{embedded, map[string]bool{}}
	if _, err := readRules(read); err != nil {
		t.Fatal(err)
	}
	for name := range ruleFiles(t) {
		if !read.names[name] {
			t.Errorf("%s is not read: it is neither in groupFiles nor a template that a table names", name)
		}
	}
}

// A checkout may have changed line ends to CR LF.
func TestRuleFilesOfWindows(t *testing.T) {
	t.Parallel()
	files := ruleFiles(t)
	for _, f := range files {
		f.Data = bytes.ReplaceAll(f.Data, []byte("\n"), []byte("\r\n"))
	}
	b, err := readRules(files)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Groups(), b.groups, cmp.AllowUnexported(Rule{})); diff != "" {
		t.Errorf("(-LF +CR LF):\n%s", diff)
	}
}

// ruleFiles returns the embedded files.
func ruleFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(embedded, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		files[name] = &fstest.MapFile{Data: content}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	return files
}

// Every member of a rule, a template, and text that is not UTF-8.
func TestReadGroup(t *testing.T) {
	t.Parallel()
	got, err := readGroup(fstest.MapFS{
		"rules/compat/a.md": {Data: []byte(`# Some rules

| template | NAME | SCHEMA |
| --- | --- | --- |
| t | x | {"type": ["string", "null"]} |
| t | y | {} |

## thing-added

Warning: a thing: or two.

Old data lacks it. So: it breaks.

From:

` + "```json\n{\"a\":\n\n  1}\n```" + `

To:

` + "```go\n\"\\xff\"\n```" + `

Fix: keep it; or do not.

- Allowed by: lenient, generated
- Message: READER has %[1]s: WRITER lacks it
- Opposite: thing-removed
- Forward message: READER lacks %s
- Forward fix: remove it

## thing-removed

Note: no thing.

It is gone.
`)},
		"rules/templates/t.md": {Data: []byte("# T\n\n## NAME-changed\n\nError: another NAME.\n\nFor SCHEMA.\n")},
	}, "compat/a")
	if err != nil {
		t.Fatal(err)
	}
	want := Group{Title: "Some rules", Rules: []Rule{
		{ID: "x-changed", What: "another x", Why: `For {"type": ["string", "null"]}.`},
		{ID: "y-changed", What: "another y", Why: `For {}.`},
		{
			ID: "thing-added", Severity: Warning, What: "a thing: or two", Why: "Old data lacks it. So: it breaks.",
			Before: "{\"a\":\n\n  1}", After: "\xff", Fix: "keep it; or do not",
			Message: "READER has %[1]s: WRITER lacks it", Opposite: "thing-removed",
			allowedBy: "lenient, generated", forwardMessage: "READER lacks %s", forwardFix: "remove it",
		},
		{ID: "thing-removed", Severity: Note, What: "no thing", Why: "It is gone."},
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Rule{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The policies of a change, from their list.
func TestAllowedBy(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]Rule{
		"no policy":                  {Allowed: Never},
		"lenient":                    {Allowed: Leniently},
		"lenient, generated":         {Allowed: Leniently, Generated: true},
		"strict, lenient":            {Allowed: Always},
		"strict, lenient, generated": {Allowed: Always, Generated: true},
	} {
		got := Rule{allowedBy: list}
		err := got.allow()
		if want.allowedBy = list; err != nil || got != want {
			t.Errorf("%s gives %+v (%v), want %+v", list, got, err, want)
		}
	}
}

// A mistake in a file is an error that says where it is.
func TestBrokenRuleFile(t *testing.T) {
	t.Parallel()
	const times, types, bounds = "rules/lint/times.md", "rules/compat/types.md", "rules/compat/bounds.md"
	for _, c := range []struct{ file, old, now, want string }{
		{times, "## time-unit-unsaid", "## timestamp-format-missing", "rules/lint/times.md: timestamp-format-missing: a second rule with this id"},
		{times, "\n## timestamp-format-missing", "\nText.", "rules/lint/times.md:3: text before the first rule"},
		{times, "# Times\n", "# Times\n# Zones\n", "rules/lint/times.md:2: a second text for the same member, or an unknown label"},
		{times, "\nWarning: a string", "\nWarnung: a string", "rules/lint/times.md:7: a second text for the same member, or an unknown label"},
		{times, "Fix: add", "Fix: remove it.\nFix: add", "rules/lint/times.md:24: a second text for the same member, or an unknown label"},
		{times, "date, time or duration.", "date, time or duration", "rules/lint/times.md:23: no full stop at the end"},
		{times, "Fix: add format: date-time, date, time or duration.", "Fix:.", "rules/lint/times.md:23: no text"},
		{times, "Example:\n\n", "Example:\n", "rules/lint/times.md:9: want an empty line and a code block after this line"},
		{times, "```\n", "", "rules/lint/times.md:9: the code block has no end"},
		{times, "```yaml\n", "```go\n", "rules/lint/times.md:9: the code block is not a Go string: invalid syntax"},
		{types, "- Allowed by: no policy\n", "", `rules/compat/types.md: type-changed: allowed by ""`},
		{types, "- Allowed by: no policy\n", "- Allowed by: lenient, strict\n", `rules/compat/types.md: type-changed: allowed by "lenient, strict"`},
		{types, "- Opposite: type-widened\n", "- Opposite: type-wider\n", `type-narrowed: there is no rule "type-wider", its opposite`},
		{bounds, "| upper-bound | max-length | maxLength |", "| upper-bound | maxLength |", "rules/compat/bounds.md:5: 5 cells, want 6"},
		{bounds, "| upper-bound |", "| high-bound |", "rules/compat/bounds.md:5: open rules/templates/high-bound.md: file does not exist"},
	} {
		files := ruleFiles(t)
		content := files[c.file].Data
		if files[c.file].Data = bytes.Replace(content, []byte(c.old), []byte(c.now), 1); bytes.Equal(content, files[c.file].Data) {
			t.Errorf("%s does not hold %q", c.file, c.old)
			continue
		}
		_, err := readRules(files)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q in the place of %q: %v, want %s", c.now, c.old, err, c.want)
		}
	}
}
