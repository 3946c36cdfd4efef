// Package output changes files on disk all together or not at all.
package output

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// File is one file to write.
type File struct {
	Path    string // relative to the folder given to Apply, with forward slashes
	Content []byte
}

// Error says which file stood in the way. Nothing was changed, unless Left
// says otherwise.
type Error struct {
	Path string // as given to Apply
	Op   string // write or remove
	Err  error  // without the names of temporary files
	// Left is why the old state could not be brought back, nil in all but the
	// worst cases: files named .outboxgen-* then hold the old contents.
	Left error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("cannot %s %s: %v; nothing was changed", e.Op, e.Path, e.Err)
	if e.Left != nil {
		text = fmt.Sprintf("cannot %s %s: %v; not all of the old files could be brought back (%v): look for .outboxgen-* beside it", e.Op, e.Path, e.Err, e.Left)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Apply writes and removes files below dir. The new contents are written beside
// their targets first, so that a full disk or a missing permission shows before
// anything changes; then files are renamed into place, the old ones set aside
// until all is done. Folders are made as needed, and folders that removing left
// empty go. A file that exists keeps its mode. The error is always an *Error.
func Apply(dir string, write []File, remove []string) error {
	a := &apply{dir: dir}
	for _, f := range write {
		if err := a.stage(f); err != nil {
			return a.fail("write", f.Path, err)
		}
	}
	for _, s := range a.staged {
		if err := a.replace(s.target, s.temp); err != nil {
			return a.fail("write", s.path, err)
		}
	}
	for _, path := range remove {
		if err := a.setAside(a.abs(path)); err != nil {
			return a.fail("remove", path, err)
		}
	}
	a.finish(remove)
	return nil
}

// apply is one call in progress, with what is needed to undo it.
type apply struct {
	dir     string
	made    []string // folders, outermost first
	staged  []staged
	aside   []aside
	written []string // targets that did not exist before
}

type staged struct{ path, target, temp string }

// aside is an old file under another name.
type aside struct{ target, backup string }

func (a *apply) abs(path string) string { return filepath.Join(a.dir, filepath.FromSlash(path)) }

// stage writes the new content beside its target.
func (a *apply) stage(f File) error {
	target := a.abs(f.Path)
	if err := a.mkdir(filepath.Dir(target)); err != nil {
		return err
	}
	mode := fs.FileMode(0o666) // less the umask
	info, err := os.Stat(target)
	switch {
	case err == nil && info.IsDir():
		return errors.New("a folder is in its place")
	case err == nil:
		mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp := beside(target, "new")
	a.staged = append(a.staged, staged{f.Path, target, temp})
	return writeNew(temp, f.Content, mode)
}

func writeNew(name string, content []byte, mode fs.FileMode) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// mkdir makes a folder and those above it, and remembers which are new.
func (a *apply) mkdir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("%s is not a folder", filepath.Base(dir))
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := a.mkdir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	a.made = append(a.made, dir)
	return nil
}

// replace puts a new file in the place of the old one.
func (a *apply) replace(target, temp string) error {
	before := len(a.aside)
	if err := a.setAside(target); err != nil {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		return err
	}
	if len(a.aside) == before {
		a.written = append(a.written, target)
	}
	return nil
}

// setAside renames a file that exists.
func (a *apply) setAside(target string) error {
	backup := beside(target, "old")
	err := os.Rename(target, backup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		a.aside = append(a.aside, aside{target, backup})
	}
	return err
}

// beside is a name in the same folder that nobody else uses.
func beside(target, kind string) string {
	return filepath.Join(filepath.Dir(target), ".outboxgen-"+kind+"-"+rand.Text()[:12])
}

// fail undoes everything.
func (a *apply) fail(op, path string, cause error) *Error {
	var left []error
	for _, target := range a.written {
		left = append(left, os.Remove(target))
	}
	for _, old := range slices.Backward(a.aside) {
		left = append(left, os.Rename(old.backup, old.target))
	}
	for _, s := range a.staged {
		if err := os.Remove(s.temp); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, err)
		}
	}
	for _, dir := range slices.Backward(a.made) {
		left = append(left, os.Remove(dir))
	}
	return &Error{Path: path, Op: op, Err: reason(cause), Left: errors.Join(left...)}
}

// finish forgets the old files. Whatever goes wrong now, the new state is
// whole, so it is not an error.
func (a *apply) finish(removed []string) {
	for _, old := range a.aside {
		_ = os.Remove(old.backup)
	}
	for _, path := range removed {
		_ = os.Remove(filepath.Dir(a.abs(path))) // only if it is empty
	}
}

// reason takes the names of temporary files off an error.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}
