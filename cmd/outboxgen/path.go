package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
)

// joinDir returns name below dir, unless name is absolute.
func joinDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// exists reports whether the name exists, even as a dangling link.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// target is what the file of an export is on disk.
type target int

const (
	regular target = iota // or missing
	stream                // a pipe or a device, which is written and never read
	stdout                // the standard output, as /dev/stdout
)

// targetOf looks at the file of an export. out is the standard output.
func targetOf(out io.Writer, name string) target {
	info, err := os.Stat(name)
	if err != nil {
		return regular
	}
	if file, ok := out.(*os.File); ok {
		if own, err := file.Stat(); err == nil && os.SameFile(own, info) {
			return stdout
		}
	}
	if info.Mode().IsRegular() || info.IsDir() {
		return regular
	}
	return stream
}

// writeStream writes to a pipe or a device.
func writeStream(name, shown string, content []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write %s: %w", shown, err)
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", shown, err)
	}
	return nil
}

// makeFolder makes a folder and those above it, if need be. shown is its name in
// an error.
func makeFolder(dir, shown string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create the folder %s: %w", shown, err)
	}
	return nil
}

// apply writes and removes files in a folder, and lists them. shown is the folder's name
// in messages.
func apply(io streams, dir, shown string, write []output.File, remove []string) error {
	if err := output.Apply(dir, write, remove); err != nil {
		return err
	}
	for _, f := range write {
		if err := printf(io.Out, "wrote %s\n", joinDir(shown, f.Path)); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if err := printf(io.Out, "removed %s\n", joinDir(shown, name)); err != nil {
			return err
		}
	}
	return nil
}
