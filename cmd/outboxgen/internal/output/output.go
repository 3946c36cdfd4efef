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

// Error says which file could not be changed. Nothing was changed, unless Left is set.
type Error struct {
	Path string // as given to Apply
	Op   string // write or remove; open for the project itself
	Err  error  // without the names of temporary files
	// Left is the error that kept the old state from being restored, nil except in the
	// worst cases. Then files named .outboxgen-* have the old contents.
	Left error
}

func (e *Error) Error() string {
	text := fmt.Sprintf("cannot %s %s: %v; nothing was changed", e.Op, e.Path, e.Err)
	if e.Left != nil {
		text = fmt.Sprintf("cannot %s %s: %v; not all old files could be restored (%v): look for .outboxgen-* beside it", e.Op, e.Path, e.Err, e.Left)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Apply writes and removes files below dir. It first writes the new contents next to
// their targets, so that a full disk or a missing permission is found before anything
// changes. Then it renames the files into place and keeps the old ones until all is
// done. It creates folders as needed, and removes folders that become empty. An
// existing file keeps its mode. A symbolic link is replaced, not written through, and
// nothing outside dir is changed, wherever links lead. The error is always an *Error.
func Apply(dir string, write []File, remove []string) error {
	a, err := open(dir)
	if err != nil {
		return &Error{Path: dir, Op: "open", Err: reason(err)}
	}
	defer a.close()
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
		target, err := a.real(path)
		if err == nil {
			err = a.setAside(target)
		}
		if err != nil {
			return a.fail("remove", path, err)
		}
	}
	a.finish(remove)
	return nil
}

// apply is one call in progress, with what is needed to undo it. All names are relative
// to the project and contain no link.
type apply struct {
	dir     string // absolute, without a link
	root    *os.Root
	made    []string // folders, outermost first
	staged  []staged
	aside   []aside
	written []string // targets that did not exist before
}

type staged struct{ path, target, temp string }

// aside is an old file under another name.
type aside struct{ target, backup string }

func open(dir string) (*apply, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	return &apply{dir: abs, root: root}, nil
}

func (a *apply) close() { _ = a.root.Close() } // it was only looked up in

var errOutside = errors.New("a symbolic link points outside the project")

// real returns where a file is after the links in its folders have been followed. The
// file itself may be a link, and it and its folders may be missing.
func (a *apply) real(path string) (string, error) {
	folder, rest := filepath.Split(filepath.FromSlash(path))
	for {
		folder = filepath.Clean(folder)
		found, err := filepath.EvalSymlinks(filepath.Join(a.dir, folder))
		if err == nil {
			inside, err := filepath.Rel(a.dir, found)
			if err != nil || !filepath.IsLocal(inside) {
				return "", errOutside
			}
			return filepath.Join(inside, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if _, err := os.Lstat(filepath.Join(a.dir, folder)); err == nil {
			return "", fmt.Errorf("%s is a broken symbolic link", filepath.Base(folder))
		}
		rest = filepath.Join(filepath.Base(folder), rest)
		folder = filepath.Dir(folder)
	}
}

// stage writes the new content next to its target.
func (a *apply) stage(f File) error {
	target, err := a.real(f.Path)
	if err != nil {
		return err
	}
	if err := a.mkdir(filepath.Dir(target)); err != nil {
		return err
	}
	mode := fs.FileMode(0o666) // less the umask
	info, err := a.root.Lstat(target)
	switch {
	case err == nil && info.IsDir():
		return errors.New("a folder has this name")
	case err == nil && info.Mode().IsRegular():
		mode = info.Mode().Perm()
	case err == nil: // a link, which has no mode of its own
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp := beside(target, "new")
	a.staged = append(a.staged, staged{f.Path, target, temp})
	return a.writeNew(temp, f.Content, mode)
}

func (a *apply) writeNew(name string, content []byte, mode fs.FileMode) error {
	file, err := a.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// mkdir creates a folder and its parents, and records which are new.
func (a *apply) mkdir(dir string) error {
	info, err := a.root.Stat(dir)
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
	if err := a.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	a.made = append(a.made, dir)
	return nil
}

// replace moves a new file into the place of the old one.
func (a *apply) replace(target, temp string) error {
	before := len(a.aside)
	if err := a.setAside(target); err != nil {
		return err
	}
	if err := a.root.Rename(temp, target); err != nil {
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
	err := a.root.Rename(target, backup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		a.aside = append(a.aside, aside{target, backup})
	}
	return err
}

// beside returns an unused name in the same folder.
func beside(target, kind string) string {
	return filepath.Join(filepath.Dir(target), ".outboxgen-"+kind+"-"+rand.Text()[:12])
}

// fail undoes everything.
func (a *apply) fail(op, path string, cause error) *Error {
	var left []error
	for _, target := range a.written {
		left = append(left, a.root.Remove(target))
	}
	for _, old := range slices.Backward(a.aside) {
		left = append(left, a.root.Rename(old.backup, old.target))
	}
	for _, s := range a.staged {
		if err := a.root.Remove(s.temp); !errors.Is(err, fs.ErrNotExist) {
			left = append(left, err)
		}
	}
	for _, dir := range slices.Backward(a.made) {
		left = append(left, a.root.Remove(dir))
	}
	return &Error{Path: path, Op: op, Err: reason(cause), Left: errors.Join(left...)}
}

// finish removes the old files. Failures are ignored, because the new state is
// complete.
func (a *apply) finish(removed []string) {
	for _, old := range a.aside {
		_ = a.root.Remove(old.backup)
	}
	for _, path := range removed {
		// Remove a folder if it is empty, unless a link to it would be left.
		if target, err := a.real(path); err == nil && target == filepath.Clean(filepath.FromSlash(path)) {
			_ = a.root.Remove(filepath.Dir(target))
		}
	}
}

// reason removes the names of temporary files from an error.
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
