package main

import (
	"fmt"
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
