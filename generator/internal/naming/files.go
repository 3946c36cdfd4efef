package naming

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// assignFiles puts every type into a file: types of an event's own schema file into the
// event's file, those of a library into another file.
func (a *assigner) assignFiles(pkg *ir.Package) {
	pkg.File = fileName(pkg.Name)
	if slices.ContainsFunc(pkg.Events, func(e *ir.Event) bool { return eventFile(e.Event) == pkg.File }) {
		pkg.File = fileName(pkg.Name + "_package")
	}
	a.home = map[*ir.Named]*ir.File{}
	files := map[string]*ir.File{}
	file := func(name, source string) *ir.File {
		if files[name] == nil {
			files[name] = &ir.File{Name: name, Source: source}
		}
		return files[name]
	}
	home := map[*schema.Document]*ir.File{}
	for _, e := range pkg.Events {
		f := file(eventFile(e.Event), e.Schema.Doc.Path)
		f.Event = e
		a.home[e.Data] = f
		if a.scheme.owners[e.Schema.Doc] == e.GoName {
			home[e.Schema.Doc] = f
		}
	}
	bases := a.libraryNames(pkg)
	for _, r := range a.claims {
		n := r.Named
		if a.home[n] == nil {
			doc := r.doc
			switch {
			case len(r.events) == 1 && !r.library:
				a.home[n] = files[eventFile(r.events[0])]
			case home[doc] != nil:
				a.home[n] = home[doc]
			default:
				a.home[n] = file(bases[doc], doc.Path)
			}
		}
		a.home[n].Types = append(a.home[n].Types, n)
	}
	for _, f := range files {
		slices.SortStableFunc(f.Types, func(x, y *ir.Named) int {
			return cmp.Compare(isData(f, y), isData(f, x)) // event data first
		})
		pkg.Files = append(pkg.Files, f)
	}
	slices.SortFunc(pkg.Files, func(x, y *ir.File) int { return cmp.Compare(x.Name, y.Name) })
}

func isData(f *ir.File, n *ir.Named) int {
	if f.Event != nil && f.Event.Data == n {
		return 1
	}
	return 0
}

// libraryNames returns the Go file for each schema file, named after it, with its
// folder if two would be the same.
func (a *assigner) libraryNames(pkg *ir.Package) map[*schema.Document]string {
	used := map[string]bool{pkg.File: true}
	for _, e := range pkg.Events {
		used[eventFile(e.Event)] = true
	}
	names := map[*schema.Document]string{}
	for _, doc := range a.scheme.project.Documents {
		base := stem(doc.Path)
		candidates := []string{base, path.Base(path.Dir(doc.Path)) + "_" + base, strings.TrimSuffix(doc.Path, path.Ext(doc.Path))}
		for _, c := range candidates {
			name := fileName(snake(goname.Exported(c)))
			if !used[name] {
				used[name] = true
				names[doc] = name
				break
			}
		}
		for i := 2; names[doc] == ""; i++ {
			if name := fileName(snake(goname.Exported(base)) + "_types" + strings.Repeat("_more", i-2)); !used[name] {
				used[name] = true
				names[doc] = name
			}
		}
	}
	return names
}

func stem(p string) string {
	base := path.Base(p)
	for ext := path.Ext(base); ext == ".yaml" || ext == ".yml" || ext == ".json" || ext == ".schema"; ext = path.Ext(base) {
		base = strings.TrimSuffix(base, ext)
	}
	return base
}

// snake returns a Go name as a file name: CJAssessmentV1 gives cj_assessment_v1.
func snake(name string) string {
	var out strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			previousLow := i > 0 && (name[i-1] < 'A' || name[i-1] > 'Z')
			nextLow := i+1 < len(name) && 'a' <= name[i+1] && name[i+1] <= 'z'
			if i > 0 && (previousLow || nextLow) {
				out.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		out.WriteByte(c)
	}
	return out.String()
}

// eventFile returns the name of an event's file: UserIDV1 gives user_id_v1.go.
func eventFile(e *schema.Event) string {
	version := "V" + strconv.Itoa(e.Version)
	name, ok := strings.CutSuffix(e.GoName, version)
	if !ok {
		return fileName(snake(e.GoName))
	}
	return fileName(snake(name) + "_" + strings.ToLower(version))
}

// fileName returns the name of a Go file that no build constraint excludes, and that
// sorts before the file with the go:generate line: go generate lists the files of a
// package first, then opens one after the other, and fails at a file that the run has
// removed.
func fileName(base string) string {
	if strings.HasPrefix(base, "zz") {
		base = "x_" + base
	}
	words := strings.Split(base, "_")
	switch last := words[len(words)-1]; {
	case len(words) == 1:
	case last == "test", slices.Contains(platforms, last):
		base += "_types"
	}
	return base + ".go"
}

// platforms are the words that exclude a file on other platforms.
var platforms = strings.Fields(`aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1 windows zos
386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm`)
