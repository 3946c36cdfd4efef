package licences

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/licenseclassifier/v2/assets"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

var update = flag.Bool("update", false, "write the table of docs/licences.md")

// text returns a licence as its authors publish it.
func text(t *testing.T, file string) string {
	t.Helper()
	content, err := assets.ReadLicenseFile("License/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestFind(t *testing.T) {
	t.Parallel()
	const copyright = "Copyright (c) 2026 Example Authors\n\n"
	mit, bsd, gpl := copyright+text(t, "MIT/pristine.txt"), copyright+text(t, "BSD-3-Clause/pristine.txt"), text(t, "GPL-3.0/license.txt")
	type result struct {
		Licence Licence
		Err     error
		Names   string // a part of the error's text
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  result
	}{
		"one": {
			map[string]string{"LICENSE": mit, "main.go": "package main", "license.go": "package main", "checklicense.sh": gpl},
			result{Licence: Licence{"MIT", []Text{{"LICENSE", mit}}}},
		},
		"two, with a notice": {
			map[string]string{"LICENSE": mit, "LICENSE.other": bsd, "NOTICE.txt": "It has code of others."},
			result{Licence: Licence{"BSD-3-Clause AND MIT", []Text{{"LICENSE", mit}, {"LICENSE.other", bsd}, {"NOTICE.txt", "It has code of others."}}}},
		},
		"two in one file": {
			map[string]string{"COPYING": mit + "\n\n" + bsd},
			result{Licence: Licence{"BSD-3-Clause AND MIT", []Text{{"COPYING", mit + "\n\n" + bsd}}}},
		},
		"one that is not allowed": {
			map[string]string{"LICENSE": gpl},
			result{Err: ErrForbidden, Names: "GPL-3.0"},
		},
		"one that is allowed beside one that is not": {
			map[string]string{"LICENSE": mit, "LICENSE-parser": gpl},
			result{Err: ErrForbidden, Names: "GPL-3.0"},
		},
		"a text that nobody knows": {
			map[string]string{"LICENSE": "Ask me first, and send me a postcard."},
			result{Err: ErrUnknown, Names: "LICENSE"},
		},
		"no file":       {nil, result{Err: ErrUnknown, Names: "no file with a licence"}},
		"only a notice": {map[string]string{"NOTICE": mit}, result{Err: ErrUnknown, Names: "no file with a licence"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, content := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Find(dir)
			if diff := cmp.Diff(c.want.Licence, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !errors.Is(err, c.want.Err) || err != nil && !strings.Contains(err.Error(), c.want.Names) {
				t.Errorf("error %v, want %v with %q", err, c.want.Err, c.want.Names)
			}
		})
	}
}

// Every module that a released command links has a licence that is allowed, and
// docs/licences.md lists it.
func TestDocsListTheLicences(t *testing.T) {
	if testing.Short() {
		t.Skip("it lists the packages of every command for every platform")
	}
	t.Parallel()
	root, err := gomod.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	modules, err := Linked(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) < 50 {
		t.Errorf("the commands link only %d modules: does this test still find them?", len(modules))
	}
	file := filepath.Join(root, "docs", "licences.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- modules -->\n", "<!-- end -->"
	before, rest, begins := strings.Cut(string(page), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		t.Fatalf("docs/licences.md has no table between %s and %s", strings.TrimSpace(begin), end)
	}
	want := before + begin + Table(modules) + end + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("docs/licences.md, whose table -update writes (-want +got):\n%s", diff)
	}
}

// Go's licence is found too: its library is in every binary.
func TestGo(t *testing.T) {
	t.Parallel()
	l, err := Go(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if l.Expression != "BSD-3-Clause" {
		t.Errorf("Go has the licence %s", l.Expression)
	}
}
