package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const span = "`[^`\n]+`"

var (
	// inFile matches "`X` in `file`", "`X`, `Y` and `Z` in `file`" and "`X` (`file`)".
	inFile = regexp.MustCompile("((?:" + span + "(?:, and |, | and ))*" + span + ")(?: in | \\()(" + span + ")")
	// ofFile matches "`file` (… `X` …)".
	ofFile = regexp.MustCompile("(" + span + ") \\(([^()]*)\\)")

	placeName  = regexp.MustCompile(`^(?:\.ci|cmd|docs|generator|migrations|runtime|schemas|templates|testdata)(?:/[\w.*-]+)*$`)
	fileName   = regexp.MustCompile(`^[\w*-]+(?:\.\w+)*\.(?:go|json|md|mod|py|sql|txt)$`)
	identifier = regexp.MustCompile(`^(?:[a-z]+\.)?[A-Za-z][\w-]*$`)
)

// TestDocsPlaces: in the tables of the pages about the code, every folder and every file
// exists, and every file has the names that are said to be in it. A file name without a
// folder belongs to the last folder of its row.
func TestDocsPlaces(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	files, names := 0, 0
	for _, name := range []string{"docs/architecture.md", "docs/contributing.md"} {
		for line := range strings.Lines(read(t, filepath.Join(root, name))) {
			if !strings.HasPrefix(line, "| ") {
				continue
			}
			r := tableRow{t: t, root: root, page: name, text: pageLink.ReplaceAllString(line, "]")}
			r.checkPairs()
			r.checkFiles()
			files, names = files+r.files, names+r.names
		}
	}
	if files < 150 || names < 50 {
		t.Errorf("the tables have %d files and %d names in them: does this test still find them?", files, names)
	}
}

// tableRow is a row of a table.
type tableRow struct {
	t                *testing.T
	root, page, text string

	files, names int
}

// checkFiles checks the folders and files of a row.
func (r *tableRow) checkFiles() {
	inFolder := map[int]string{} // beginning of a file name -> its folder, which comes after it
	for _, m := range inFile.FindAllStringSubmatchIndex(r.text, -1) {
		folder := strings.Trim(r.text[m[4]:m[5]], "`")
		if !placeName.MatchString(folder) || !isDir(filepath.Join(r.root, folder)) {
			continue
		}
		for _, s := range codeSpan.FindAllStringIndex(r.text[m[2]:m[3]], -1) {
			inFolder[m[2]+s[0]] = folder
		}
	}
	for _, s := range codeSpan.FindAllStringSubmatchIndex(r.text, -1) {
		name := r.text[s[2]:s[3]]
		place := name
		switch {
		case placeName.MatchString(name):
		case !fileName.MatchString(name):
			continue
		case inFolder[s[0]] != "":
			place = inFolder[s[0]] + "/" + name
		default:
			place = r.folderBefore(s[0]) + "/" + name
		}
		r.files++
		if found, err := filepath.Glob(filepath.Join(r.root, place)); err != nil || len(found) == 0 {
			r.t.Errorf("%s: there is no %s, in the row\n%s", r.page, place, r.text)
		}
	}
}

// folderBefore returns the last folder that is named before a position in the row, or
// that of the last path of a file.
func (r *tableRow) folderBefore(pos int) string {
	folder := "."
	for _, m := range codeSpan.FindAllStringSubmatch(r.text[:pos], -1) {
		if name := m[1]; placeName.MatchString(name) {
			folder = name
			if !isDir(filepath.Join(r.root, name)) {
				folder = filepath.Dir(name)
			}
		}
	}
	return folder
}

// checkPairs checks the names that are said to be in a file or a folder.
func (r *tableRow) checkPairs() {
	for _, m := range inFile.FindAllStringSubmatchIndex(r.text, -1) {
		r.checkNames(m[2], m[3], m[4], m[5])
	}
	for _, m := range ofFile.FindAllStringSubmatchIndex(r.text, -1) {
		r.checkNames(m[4], m[5], m[2], m[3])
	}
}

// checkNames checks that the place, a part of the row's text, has the names in another
// part.
func (r *tableRow) checkNames(from, to, placeFrom, placeTo int) {
	place := strings.Trim(r.text[placeFrom:placeTo], "`")
	switch {
	case placeName.MatchString(place):
	case fileName.MatchString(place):
		place = r.folderBefore(placeFrom) + "/" + place
	default:
		return
	}
	for _, m := range codeSpan.FindAllStringSubmatch(r.text[from:to], -1) {
		if !identifier.MatchString(m[1]) || placeName.MatchString(m[1]) || fileName.MatchString(m[1]) {
			continue
		}
		r.names++
		name := m[1][strings.IndexByte(m[1], '.')+1:]
		if !placeHas(r.t, filepath.Join(r.root, place), name) {
			r.t.Errorf("%s: %s has no %s, in the row\n%s", r.page, place, name, r.text)
		}
	}
}

// placeHas reports whether a file, or a file of a folder, has a name: in Go code a
// declaration or a string, elsewhere a word.
func placeHas(t *testing.T, place, name string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(place, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir() || found:
		case filepath.Ext(path) == ".go":
			found = declared(t, path)[name]
		default:
			found = words(read(t, path))[name]
		}
		return err
	})
	return err == nil && found // checkFiles reports a place that does not exist
}

// declared returns the names that a Go file declares, also those of fields and methods,
// and its strings.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names[n.Name.Name] = true
		case *ast.TypeSpec:
			names[n.Name.Name] = true
		case *ast.ValueSpec:
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.Field: // of a struct, of an interface, or a parameter
			for _, name := range n.Names {
				names[name.Name] = true
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil {
				names[text] = true
			}
		}
		return true
	})
	return names
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
