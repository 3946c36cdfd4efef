package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
	"github.com/outboxgen/outboxgen/cmd/internal/licences"
)

// builder builds commands from a module proxy of the checkout.
type builder struct {
	served *gomod.Served
	dir    string // its files
	cache  string // Go's module cache
	env    []string
	stderr io.Writer

	licences map[debug.Module]licences.Licence // that were found
	own      licences.Licence
	ofGo     licences.Licence
}

// newBuilder makes the proxy. The caller closes the builder.
func newBuilder(ctx context.Context, s source, stderr io.Writer) (_ *builder, err error) {
	dir, err := os.MkdirTemp("", "outboxgen-dist-")
	if err != nil {
		return nil, err
	}
	b := &builder{dir: dir, stderr: stderr, licences: map[debug.Module]licences.Licence{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	version := s.version
	if version == "" {
		if version, err = gomod.ContentVersion(ctx, s.root, "v0.0.0-dirty."); err != nil {
			return nil, err
		}
	}
	if b.served, err = gomod.ProxyAt(ctx, s.root, filepath.Join(dir, "proxy"), version); err != nil {
		return nil, err
	}
	var setting [2]string
	for i, name := range []string{"GOMODCACHE", "GOPROXY"} {
		out, err := exec.CommandContext(ctx, "go", "env", name).Output()
		if err != nil {
			return nil, fmt.Errorf("go env %s: %w", name, err)
		}
		setting[i] = strings.TrimSpace(string(out))
	}
	b.cache = setting[0]
	b.env = slices.Concat(os.Environ(), b.served.Env(setting[1]), []string{
		"GOMODCACHE=" + b.cache, "CGO_ENABLED=0", "GOBIN=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0",
	})
	// An interrupted run may have left other content for this version in the cache.
	if err := b.served.Forget(b.cache); err != nil {
		return nil, err
	}
	if b.own, err = licences.Find(s.root); err != nil {
		return nil, err
	}
	b.ofGo, err = licences.Go(ctx)
	return b, err
}

// close removes the builder's files, and its modules from the module cache.
func (b *builder) close() error {
	err := os.RemoveAll(b.dir)
	if b.served != nil && b.cache != "" {
		err = errors.Join(err, b.served.Forget(b.cache))
	}
	return err
}

// version returns the version of what is built.
func (b *builder) version() string { return b.served.Version }

// build builds the commands for a target, and returns their files.
func (b *builder) build(ctx context.Context, t target, commands []string) (map[string]string, error) {
	gopath := filepath.Join(b.dir, "gopath-"+t.os+"-"+t.arch)
	args := slices.Clone(installArguments)
	for _, command := range commands {
		args = append(args, gomod.Path+"/cmd/"+command+"@"+b.version())
	}
	install := exec.CommandContext(ctx, "go", args...)
	install.Dir, install.Stdout, install.Stderr = b.dir, b.stderr, b.stderr
	install.Env = slices.Concat(b.env, []string{"GOPATH=" + gopath, "GOOS=" + t.os, "GOARCH=" + t.arch})
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("build %s for %s: go %s: %w", strings.Join(commands, " and "), t, strings.Join(args, " "), err)
	}
	folder := filepath.Join(gopath, "bin")
	if t.os != runtime.GOOS || t.arch != runtime.GOARCH {
		folder = filepath.Join(folder, t.os+"_"+t.arch)
	}
	built := map[string]string{}
	for _, command := range commands {
		built[command] = filepath.Join(folder, t.program(command))
		if err := b.check(ctx, t, command, built[command]); err != nil {
			return nil, err
		}
	}
	return built, nil
}

// installArguments are the arguments of go with which a user builds the same bytes.
var installArguments = []string{"install", "-trimpath", "-ldflags=-s -w"}

// check checks that a binary was built from the version, and if it runs here, that it
// prints the version.
func (b *builder) check(ctx context.Context, t target, command, file string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	if info.Main.Path != gomod.Path || info.Main.Version != b.version() {
		return fmt.Errorf("%s for %s was built from %s %s, want %s %s", command, t, info.Main.Path, info.Main.Version, gomod.Path, b.version())
	}
	if t.os != runtime.GOOS || t.arch != runtime.GOARCH {
		return nil
	}
	out, err := exec.CommandContext(ctx, file, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w", file, err)
	}
	if want := command + " " + b.version(); !bytes.HasPrefix(out, []byte(want)) {
		return fmt.Errorf("%s version prints %q, want %q", command, out, want)
	}
	return nil
}

// linked is a module in a binary, with its licence.
type linked struct {
	debug.Module
	licence licences.Licence
}

// linkedModules returns the modules in a binary, without the main module.
func (b *builder) linkedModules(ctx context.Context, info *debug.BuildInfo) ([]linked, error) {
	var unknown []debug.Module
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced in the binary: a release has no replaced modules", dep.Path)
		}
		if _, ok := b.licences[*dep]; !ok && !licences.IsOwn(dep.Path) {
			unknown = append(unknown, *dep)
		}
	}
	if err := b.findLicences(ctx, unknown); err != nil {
		return nil, err
	}
	var all []linked
	for _, dep := range info.Deps {
		licence := b.own
		if !licences.IsOwn(dep.Path) {
			licence = b.licences[*dep]
		}
		all = append(all, linked{*dep, licence})
	}
	return all, nil
}

func (b *builder) findLicences(ctx context.Context, modules []debug.Module) error {
	if len(modules) == 0 {
		return nil
	}
	args := []string{"mod", "download", "-json"}
	for _, m := range modules {
		args = append(args, m.Path+"@"+m.Version)
	}
	download := exec.CommandContext(ctx, "go", args...)
	download.Dir, download.Env, download.Stderr = b.dir, b.env, b.stderr
	out, err := download.Output()
	if err != nil {
		return fmt.Errorf("go mod download: %w", err)
	}
	dirs := map[debug.Module]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Sum, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("go mod download did not print JSON: %w", err)
		}
		dirs[debug.Module{Path: m.Path, Version: m.Version, Sum: m.Sum}] = m.Dir
	}
	var problems []error
	for _, m := range modules {
		dir, ok := dirs[m]
		if !ok {
			problems = append(problems, fmt.Errorf("%s %s: go mod download returned no module with the checksum %s", m.Path, m.Version, m.Sum))
			continue
		}
		b.licences[m], err = licences.Find(dir)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s: %w", m.Path, m.Version, err))
		}
	}
	return errors.Join(problems...)
}
