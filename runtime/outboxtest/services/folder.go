package services

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// folderPrefix begins the name of every temporary folder of this package.
const folderPrefix = "outboxgen-"

// folder is a temporary folder for one server, with a lock that is held as long as this
// process runs. A folder whose lock is free belongs to a process that was killed; the
// next process removes it.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes a folder that the account (nil: the current user) owns and can
// reach.
func newFolder(kind string, owner *account) (*folder, error) {
	base, err := baseFolder(owner)
	if err != nil {
		return nil, err
	}
	removeAbandoned(base)
	path, err := os.MkdirTemp(base, folderPrefix+kind+"-")
	if err != nil {
		return nil, err
	}
	f := &folder{path: path}
	// It gets its name only once it is held: another process that looks for
	// abandoned folders would otherwise find it free for a moment.
	unnamed := filepath.Join(path, "lock.new")
	if f.lock, err = lock(unnamed); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	if err := os.Rename(unnamed, filepath.Join(path, "lock")); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	if owner != nil {
		if err := os.Chown(path, owner.uid, owner.gid); err != nil {
			return nil, errors.Join(err, f.remove())
		}
	}
	return f, nil
}

func (f *folder) remove() error {
	return errors.Join(os.RemoveAll(f.path), f.lock.Close())
}

// baseFolder returns where temporary folders go: a place that the account can reach,
// with a path short enough for a Unix socket below it.
func baseFolder(owner *account) (string, error) {
	const longest = 60 // of some 104 bytes for the whole path of a socket
	candidates := []string{os.TempDir(), "/tmp", "/var/tmp"}
	for _, dir := range candidates {
		if len(dir) <= longest && (owner == nil || reachable(dir)) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("services: no folder for temporary files has a short path and lets other users in: tried %q; set TMPDIR", candidates)
}

// reachable says whether every user may enter the folder.
func reachable(path string) bool {
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// removeAbandoned removes the folders of killed processes. What it cannot lock or
// remove belongs to another user and stays.
func removeAbandoned(base string) {
	locks, err := filepath.Glob(filepath.Join(base, folderPrefix+"*", "lock"))
	if err != nil {
		return
	}
	for _, path := range locks {
		held, err := lockExisting(path)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(filepath.Dir(path)) // another run tries again
		_ = held.Close()
	}
}

// servicesFolder returns where "make services" puts what it fetches: the folder that
// OUTBOXGEN_SERVICES names, else the nearest .services folder in the working
// directory or above it; "" when there is none.
func servicesFolder() string {
	if dir := os.Getenv("OUTBOXGEN_SERVICES"); dir != "" {
		return dir
	}
	const name = ".services"
	if dir := above(name); dir != "" {
		return filepath.Join(dir, name)
	}
	return ""
}

// above returns the nearest folder that has a folder of that name: the working directory
// or one above it; "" when there is none.
func above(name string) string {
	dir, err := os.Getwd()
	for err == nil {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return ""
}
