package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/testdata/manyevents"
)

const megabyte = 1 << 20

// generated is a module whose package is generated from many schemas.
type generated struct {
	dir       string
	outboxgen string // the command, built for this run
	turn      int
}

// generateVariants measures the process outboxgen, and go vet of what it wrote. It
// needs a checkout of this repository, which has the module that the generated package
// imports.
func generateVariants(ctx context.Context, l *lab) (_ []variant, err error) {
	root, dir, err := l.build(ctx, "outboxgen")
	if err != nil {
		return nil, err
	}
	g := &generated{dir: filepath.Join(dir, "service"), outboxgen: filepath.Join(dir, "outboxgen")}
	if err := g.write(root, l.effort.schemas); err != nil {
		return nil, err
	}
	if _, err := g.generate(ctx); err != nil { // something to vet
		return nil, err
	}
	if _, err := g.vet(ctx); err != nil { // builds what the package imports
		return nil, err
	}
	return []variant{
		{"go vet of the output", bareLabel, 0, g.vet},
		{"outboxgen generate, no output yet", "cold", 0, func(ctx context.Context) ([]float64, error) {
			if err := os.RemoveAll(filepath.Join(g.dir, "events")); err != nil {
				return nil, err
			}
			return g.generate(ctx)
		}},
		{"outboxgen generate, nothing changed", "unchanged", 0, g.generate},
	}, nil
}

// write writes the project and its go.mod, which takes the versions of the
// repository's own.
func (g *generated) write(root string, schemas int) error {
	files := manyevents.Project(schemas)
	var err error
	if files["go.mod"], files["go.sum"], err = gomod.Scratch(root, "example.com/service"); err != nil {
		return err
	}
	return writeFiles(g.dir, files)
}

// writeFiles writes files by their paths below a folder.
func writeFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (g *generated) generate(ctx context.Context) ([]float64, error) {
	return g.measure(ctx, g.outboxgen, "generate")
}

// vet runs go vet on the package. A file with a new constant makes it a package that
// the build cache does not have.
func (g *generated) vet(ctx context.Context) (_ []float64, err error) {
	g.turn++
	fresh := filepath.Join(g.dir, "events", "zz_turn.go")
	text := fmt.Appendf(nil, "package events\n\nconst benchmarkTurn = \"%d %d\"\n", time.Now().UnixNano(), g.turn)
	if err := os.WriteFile(fresh, text, 0o600); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(fresh)) }()
	return g.measure(ctx, "go", "vet", "./events")
}

// measure measures a command in the module.
func (g *generated) measure(ctx context.Context, name string, args ...string) ([]float64, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = g.dir
	// go.mod has the requirements of the repository, whose modules are downloaded
	// already.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	return timed(cmd)
}

// timed runs a command. It returns seconds, seconds of processor time, and the most memory, in
// MB, that the command or one of its children had.
func timed(cmd *exec.Cmd) ([]float64, error) {
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, output.String())
	}
	state := cmd.ProcessState
	return []float64{
		time.Since(start).Seconds(), (state.UserTime() + state.SystemTime()).Seconds(), peakMemory(state) / megabyte,
	}, nil
}

// built is a command of the repository that was built.
type built struct{ root, dir string }

// build builds a command of the repository into a new folder, once. It needs a checkout of the
// repository, whose root it also returns.
func (l *lab) build(ctx context.Context, command string) (root, dir string, err error) {
	if b, ok := l.built[command]; ok {
		return b.root, b.dir, nil
	}
	if root, dir, err = l.folderForBuild(ctx); err != nil {
		return "", "", err
	}
	if _, err = goOutput(ctx, root, "build", "-o", filepath.Join(dir, command), "./cmd/"+command); err != nil {
		return "", "", err
	}
	if l.built == nil {
		l.built = map[string]built{}
	}
	l.built[command] = built{root, dir}
	return root, dir, nil
}

// folderForBuild returns the root of the repository and a new folder for what is built.
func (l *lab) folderForBuild(ctx context.Context) (root, dir string, err error) {
	if root, err = goOutput(ctx, "", "list", "-m", "-f", "{{.Dir}}", gomod.Path); err != nil {
		return "", "", fmt.Errorf("find the repository (run this scenario in a checkout): %w", err)
	}
	if dir, err = os.MkdirTemp("", "outboxbench-"); err != nil {
		return "", "", err
	}
	l.cleanup = append(l.cleanup, func() error { return os.RemoveAll(dir) })
	return root, dir, nil
}

// goOutput returns what a command of go prints, without the line end.
func goOutput(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
