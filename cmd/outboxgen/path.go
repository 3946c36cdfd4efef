package main

import (
	"os"
	"path/filepath"
)

// joinDir is name below dir, unless name is absolute.
func joinDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// exists says whether something has that name, a dangling link too.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
