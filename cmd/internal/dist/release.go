package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/gomod"
)

const (
	checksumsFile  = "checksums.txt"
	thirdPartyFile = "THIRD-PARTY-LICENSES.txt"
	sbomFile       = "sbom.cdx.json"
)

// release writes the files of a release.
type release struct {
	source  source
	builder *builder
	out     string
	log     io.Writer

	commands []string
}

// write builds everything and replaces the folder of the release. If a build fails, the
// folder stays as it was.
func (r release) write(ctx context.Context, targets []target) (err error) {
	if err := r.replaceable(); err != nil {
		return err
	}
	work := filepath.Clean(r.out) + ".new"
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return err
	}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.String()
	}
	fmt.Fprintf(r.log, "dist: building %s for %s; each takes some minutes the first time\n", r.builder.version(), strings.Join(names, ", "))
	for _, t := range targets {
		began := time.Now()
		binaries, err := r.builder.build(ctx, t, r.commands)
		if err != nil {
			return err
		}
		for _, command := range r.commands {
			if err := r.pack(ctx, work, t, command, binaries[command]); err != nil {
				return err
			}
		}
		fmt.Fprintf(r.log, "dist: %s: done in %.0f s\n", t, time.Since(began).Seconds())
	}
	sums, err := checksums(work)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, checksumsFile), sums, 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.Rename(work, r.out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.log, "dist: wrote %s\n%s", r.out, sums)
	return err
}

// replaceable checks that the folder is empty or contains an earlier release.
func (r release) replaceable() error {
	entries, err := os.ReadDir(r.out)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == checksumsFile }) {
		return fmt.Errorf("the folder %s contains other files: choose another one with -out", r.out)
	}
	return nil
}

// pack writes the archive of a command, and its SBOM next to it.
func (r release) pack(ctx context.Context, folder string, t target, command, file string) error {
	binary, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		return err
	}
	b := build{command: command, target: t, binary: binary, info: info, own: r.builder.own, ofGo: r.builder.ofGo}
	if b.modules, err = r.builder.linkedModules(ctx, info); err != nil {
		return err
	}
	bom, err := b.sbom(r.source.time)
	if err != nil {
		return err
	}
	members := []member{
		{name: t.program(command), content: binary, program: true},
		{name: "README.txt", content: b.readme()},
		{name: sbomFile, content: bom},
		{name: thirdPartyFile, content: b.thirdParty()},
	}
	for _, text := range b.own.Texts {
		members = append(members, member{name: text.Name, content: []byte(text.Text)})
	}
	if command == "outboxrelay" {
		files, err := r.operatorFiles(ctx)
		if err != nil {
			return err
		}
		members = append(members, files...)
	}
	bomName := filepath.Join(folder, t.name(command, r.builder.version())+".cdx.json")
	return errors.Join(
		os.WriteFile(bomName, bom, 0o644),
		writeArchive(filepath.Join(folder, t.archive(command, r.builder.version())), members, r.source.time),
	)
}

// operatorFiles are the files that an operator needs beside outboxrelay.
func (r release) operatorFiles(ctx context.Context) ([]member, error) {
	names, err := git{ctx, r.source.root}.run("ls-files", "--cached", "--others", "--exclude-standard", "docs/deployment", "docs/monitoring")
	if err != nil {
		return nil, err
	}
	var files []member
	for name := range strings.SplitSeq(names, "\n") {
		if strings.HasSuffix(name, "_test.yaml") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(r.source.root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, member{name: strings.TrimPrefix(name, "docs/"), content: content})
	}
	return files, nil
}

// readme says what is in the archive and how to build the same bytes.
func (b build) readme() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "%s %s for %s\n\n", b.command, b.info.Main.Version, b.target)
	fmt.Fprintf(&out, "https://%s has the documentation and the source code.\n\n", gomod.Path)
	fmt.Fprintf(&out, "%s has the licences of the modules in the program, and %s lists the\nmodules with their versions and checksums (CycloneDX).\n\n", thirdPartyFile, sbomFile)
	if b.command == "outboxrelay" {
		fmt.Fprint(&out, "The folder deployment has files for containers, Kubernetes and systemd, and the folder monitoring\nalert rules for Prometheus and a dashboard for Grafana.\n\n")
	}
	fmt.Fprintf(&out, "It was built with %s. With the same version of Go, this command builds the same\nbytes from the public module proxy:\n\n", b.info.GoVersion)
	fmt.Fprintf(&out, "  CGO_ENABLED=0 GOOS=%s GOARCH=%s go %s -trimpath -ldflags=\"-s -w\" \\\n    %s/cmd/%s@%s\n",
		b.target.os, b.target.arch, installArguments[0], b.info.Main.Path, b.command, b.info.Main.Version)
	return out.Bytes()
}

// checksums returns the SHA-256 sums of the files in a folder, as sha256sum reads them.
func checksums(folder string) ([]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, entry := range entries { // sorted by name
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		fmt.Fprintf(&out, "%s  %s\n", hex.EncodeToString(sum[:]), entry.Name())
	}
	return out.Bytes(), nil
}
