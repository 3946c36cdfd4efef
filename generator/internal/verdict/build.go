package verdict

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the program's source
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/mod/modfile"
)

// inner is the module that is compiled.
const inner = "verdicts"

//go:embed program.txt
var program string

// compileAndRun compiles the packages of a batch, and runs their program on the
// documents. It adds to outcomes.
func compileAndRun(ctx context.Context, dir string, cases []Case, outcomes []Outcome) error {
	folder, err := os.MkdirTemp(dir, "batch")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder) //nolint:errcheck // what is left lies in the test's folder
	b := &build{dir: folder, packages: map[string]int{}}
	if err := b.write(cases, outcomes); err != nil {
		return err
	}
	if len(b.packages) == 0 {
		return nil
	}
	for _, step := range []func(context.Context, []Outcome) error{b.compile, b.vet} {
		if err := step(ctx, outcomes); err != nil {
			return err
		}
	}
	binary, err := b.link(ctx, cases, outcomes)
	if err != nil || binary == "" {
		return err
	}
	return b.ask(ctx, binary, cases, outcomes)
}

// build is the module of a batch.
type build struct {
	dir      string
	packages map[string]int // folder -> index of the case
	folders  []string       // of each case; "" when it has no package
}

// write writes the module with the package of every case that has one.
func (b *build) write(cases []Case, outcomes []Outcome) error {
	if err := b.writeModule(); err != nil {
		return err
	}
	b.folders = make([]string, len(cases))
	for i, o := range outcomes {
		if len(o.Files) == 0 {
			continue
		}
		// The same name gives the same folder in every run, so that the build cache is
		// used.
		folder := fmt.Sprintf("p%x", sha256.Sum256([]byte(cases[i].Name)))[:17]
		b.folders[i], b.packages[folder] = folder, i
		if err := os.Mkdir(filepath.Join(b.dir, folder), 0o750); err != nil {
			return err
		}
		for _, f := range o.Files {
			if err := os.WriteFile(filepath.Join(b.dir, folder, f.Path), f.Content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeModule writes a module, and a workspace that joins it with the repository's
// modules for their requirements.
func (b *build) writeModule() error {
	root, err := Root()
	if err != nil {
		return err
	}
	workspace, err := os.ReadFile(filepath.Join(root, "go.work"))
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork("go.work", workspace, nil)
	if err != nil {
		return err
	}
	joined := fmt.Sprintf("go %s\n\nuse %s\n", work.Go.Version, b.dir)
	for _, m := range work.Use {
		joined += fmt.Sprintf("use %s\n", filepath.Join(root, m.Path))
	}
	for _, r := range work.Replace {
		joined += fmt.Sprintf("replace %s %s => %s\n", r.Old.Path, r.Old.Version, filepath.Join(root, r.New.Path))
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.work.sum"))
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{
		"go.mod":      fmt.Appendf(nil, "module %s\n\ngo %s\n", inner, work.Go.Version),
		"go.work":     []byte(joined),
		"go.work.sum": sums,
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Root returns the folder of the module under test.
func Root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the folder of this file is not known")
	}
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	if !filepath.IsAbs(root) {
		return "", errors.New("built with -trimpath, the folder of the module is not known")
	}
	return root, nil
}

// compile compiles all packages, and records the compiler's output.
func (b *build) compile(ctx context.Context, outcomes []Outcome) error {
	return b.tool(ctx, func(i int, line string) { outcomes[i].Compile = append(outcomes[i].Compile, line) }, "build", b.sound(outcomes))
}

// vet vets the packages that compile.
func (b *build) vet(ctx context.Context, outcomes []Outcome) error {
	return b.tool(ctx, func(i int, line string) { outcomes[i].Vet = append(outcomes[i].Vet, line) }, "vet", b.sound(outcomes))
}

// sound returns the packages without problems so far, as patterns.
func (b *build) sound(outcomes []Outcome) []string {
	var out []string
	for i, folder := range b.folders {
		if folder != "" && len(outcomes[i].Compile) == 0 {
			out = append(out, "./"+folder)
		}
	}
	return out
}

// allErrors makes the compiler report more than ten errors of a package, without
// optimisation.
const allErrors = "-gcflags=" + inner + "/...=-e -N -l -dwarf=false"

var header = regexp.MustCompile(`^# \[?` + inner + `/(p[0-9a-f]+)\]?`)

// tool runs go with a verb on packages, and records its output for each.
func (b *build) tool(ctx context.Context, note func(i int, line string), verb string, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	flags := []string{verb, "-trimpath"}
	if verb == "build" {
		flags = append(flags, allErrors)
	}
	out, failed := b.run(ctx, append(flags, packages...)...)
	if failed == nil {
		return nil
	}
	noted, current := 0, -1
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if match := header.FindStringSubmatch(line); match != nil {
			i, ok := b.packages[match[1]]
			if current = i; !ok {
				return fmt.Errorf("go %s about an unknown package: %s", verb, line)
			}
			continue
		}
		if current < 0 || strings.TrimSpace(line) == "" {
			continue
		}
		note(current, strings.ReplaceAll(strings.TrimPrefix(line, "vet: "), b.folders[current]+"/", ""))
		noted++
	}
	if noted == 0 {
		return fmt.Errorf("go %s: %w\n%s", verb, failed, out)
	}
	return nil
}

// run runs go in the module, and returns all that it prints.
func (b *build) run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Dir = b.dir
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK="+filepath.Join(b.dir, "go.work"))
	out, err := command.CombinedOutput()
	return string(bytes.ReplaceAll(out, []byte("./"), nil)), err
}

// link builds the program with the packages that compile; "" if none of them has
// documents.
func (b *build) link(ctx context.Context, cases []Case, outcomes []Outcome) (string, error) {
	var imports, events strings.Builder
	for i, folder := range b.folders {
		if folder == "" || len(outcomes[i].Compile) > 0 || len(cases[i].Documents) == 0 {
			continue
		}
		fmt.Fprintf(&imports, "\t%s \"%s/%s\"\n", folder, inner, folder)
		for _, event := range outcomes[i].events {
			fmt.Fprintf(&events, "\t\"%s.%s\": func() any { return new(%s.%s) },\n", folder, event, folder, event)
		}
	}
	if imports.Len() == 0 {
		return "", nil
	}
	if err := os.Mkdir(filepath.Join(b.dir, "ask"), 0o750); err != nil {
		return "", err
	}
	text := strings.NewReplacer("IMPORTS", imports.String(), "EVENTS", events.String()).Replace(program)
	if err := os.WriteFile(filepath.Join(b.dir, "ask", "main.go"), []byte(text), 0o600); err != nil {
		return "", err
	}
	binary := filepath.Join(b.dir, "ask", "ask.exe")
	if out, err := b.run(ctx, "build", "-trimpath", allErrors, "-ldflags=-s -w", "-o", binary, "./ask"); err != nil {
		return "", fmt.Errorf("the program does not build: %w\n%s", err, out)
	}
	return binary, nil
}
