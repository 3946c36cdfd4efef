package main

import (
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
