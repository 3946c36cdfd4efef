//go:build unix

package incidents_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the folder of the repository.
const root = "../../.."

// section is an incident in docs/runbook.md.
type section struct {
	title           string
	see, fix, check []step
}

// step is a command, with lines of what it prints.
type step struct {
	command string
	output  []string
}

// The phases of a section, by the texts that begin them.
const (
	beginSee   = "**What you see**"
	beginFix   = "**Fix**"
	beginCheck = "**It is fixed when**"
)

// readPage reads the incidents of docs/runbook.md, by their anchors, and returns the
// anchors in the order of the page.
func readPage(t *testing.T) (map[string]*section, []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "runbook.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections, anchors := parsePage(string(text))
	return sections, anchors
}

// parsePage parses a page. Sections without commands are left out.
func parsePage(text string) (map[string]*section, []string) {
	sections := map[string]*section{}
	var anchors []string
	var current *section
	var phase *[]step
	console := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		title, isTitle := strings.CutPrefix(line, "## ")
		switch {
		case console && line == "```":
			console = false
		case console:
			*phase = addLine(*phase, line)
		case isTitle:
			current, phase = &section{title: title}, nil
			anchor := strings.ReplaceAll(strings.ToLower(title), " ", "-")
			sections[anchor] = current
			anchors = append(anchors, anchor)
		case current == nil:
		case strings.HasPrefix(line, beginSee):
			phase = &current.see
		case strings.HasPrefix(line, beginFix):
			phase = &current.fix
		case strings.HasPrefix(line, beginCheck):
			phase = &current.check
		case strings.HasPrefix(line, "**"):
			phase = nil
		case line == "```console" && phase != nil:
			console = true
		}
	}
	var played []string
	for _, anchor := range anchors {
		if s := sections[anchor]; len(s.see)+len(s.fix)+len(s.check) > 0 {
			played = append(played, anchor)
		} else {
			delete(sections, anchor)
		}
	}
	return sections, played
}

// addLine adds a line of a console block. A command that ends in a backslash continues in
// the next line.
func addLine(steps []step, line string) []step {
	if command, ok := strings.CutPrefix(line, "$ "); ok {
		return append(steps, step{command: command})
	}
	if len(steps) == 0 {
		return append(steps, step{command: "echo 'a console block begins without a command'; exit 1"})
	}
	last := &steps[len(steps)-1]
	if strings.HasSuffix(last.command, "\\") {
		last.command += "\n" + line
	} else {
		last.output = append(last.output, line)
	}
	return steps
}

// Two incidents put another address of the database into the settings, in the same way.
func TestTheAddressIsChangedInOneWay(t *testing.T) {
	t.Parallel()
	sections, _ := readPage(t)
	change := func(anchor string) []step {
		fix := sections[anchor].fix
		at := slices.IndexFunc(fix, func(s step) bool { return strings.Contains(s.command, "awk ") })
		if at < 0 {
			t.Fatalf("docs/runbook.md#%s does not change the settings", anchor)
		}
		return fix[at:]
	}
	if diff := cmp.Diff(change("pooler-in-the-way"), change("primary-failed-over"), cmp.AllowUnexported(step{})); diff != "" {
		t.Errorf("the commands (-pooler +failed over):\n%s", diff)
	}
}

// The table of times in docs/contributing.md has each incident, in the order of the runbook.
func TestTableOfTimes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "contributing.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections, anchors := readPage(t)
	var want, got []string
	for _, anchor := range anchors {
		want = append(want, "| ["+strings.ToLower(sections[anchor].title)+"](runbook.md#"+anchor+") |")
	}
	for line := range strings.Lines(string(text)) {
		if at := strings.Index(line, ") |"); strings.HasPrefix(line, "| [") && strings.Contains(line, "](runbook.md#") && at > 0 {
			got = append(got, line[:at+len(") |")])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the table of times (-runbook +contributing):\n%s", diff)
	}
}

func TestParsePage(t *testing.T) {
	t.Parallel()
	const page = "# Runbook\n\n## Which incident\n\n```console\n$ not a step\n```\n\n## Broker down\n\n**What you see** is this:\n\n```console\n$ a \\\n  b\nx …\n$ c\n```\n\n" +
		"**It means** nothing.\n\n**Fix**\n\n```console\n$ d\n```\n\n**It is fixed when**\n\n```console\n$ e\ny\nz\n```\n"
	sections, anchors := parsePage(page)
	want := map[string]*section{"broker-down": {
		title: "Broker down",
		see:   []step{{"a \\\n  b", []string{"x …"}}, {"c", nil}},
		fix:   []step{{"d", nil}},
		check: []step{{"e", []string{"y", "z"}}},
	}}
	if diff := cmp.Diff(want, sections, cmp.AllowUnexported(section{}, step{})); diff != "" {
		t.Errorf("sections (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"broker-down"}, anchors); diff != "" {
		t.Errorf("anchors (-want +got):\n%s", diff)
	}
}

// A second try to edit the address begins with the file as the first one left it, and keeps
// the copy from before the first one.
func TestTheEditOfTheAddressKeepsItsCopies(t *testing.T) {
	t.Parallel()
	sections, _ := readPage(t)
	for _, anchor := range []string{"pooler-in-the-way", "primary-failed-over"} {
		t.Run(anchor, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "outboxrelay.yaml")
			const other = "name: shop\n"
			if err := os.WriteFile(file, []byte("database_url: former\n"+other), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, 0o640); err != nil { // whatever the umask is
				t.Fatal(err)
			}
			o := &terminal{dir: dir, variables: map[string]string{"OUTBOXRELAY_CONFIG": file}}
			for _, address := range []string{"postgres://relay@db-1/shop", "postgres://relay@db-2/shop?a=1&b=2"} {
				o.variables["RELAY_DB"] = address
				edits := 0
				for _, st := range sections[anchor].fix {
					if !strings.Contains(st.command, "awk ") && !strings.HasPrefix(st.command, "grep ") {
						continue
					}
					edits++
					out, err := o.run(t.Context(), st.command)
					if err == nil {
						err = o.shows(out, st)
					}
					if err != nil {
						t.Fatalf("%s: %v\n%s", st.command, err, out)
					}
				}
				if edits != 2 {
					t.Fatalf("%d commands of the fix edit and show the address, want 2", edits)
				}
			}
			got := map[string]os.FileMode{} // by their texts
			files, err := filepath.Glob(file + "*")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range files {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(name)
				if err != nil {
					t.Fatal(err)
				}
				got[string(text)] = info.Mode()
			}
			want := map[string]os.FileMode{
				"database_url: former\n" + other:                               0o640,
				"database_url: 'postgres://relay@db-1/shop'\n" + other:         0o640,
				"database_url: 'postgres://relay@db-2/shop?a=1&b=2'\n" + other: 0o640,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the settings file and its copies (-want +got):\n%s", diff)
			}
		})
	}
}
