package main

import (
	"fmt"
	"os"
	"path/filepath"
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
