package gitfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// errLink is the error for a symbolic link or a submodule.
var errLink = errors.New("it is a symbolic link or a submodule, which is not followed")

// Tree is a folder of one commit, as an fs.FS. Like its Repo, it is not safe for
// concurrent use.
type Tree struct {
	repo    *Repo
	entries map[string]*entry // by path; "." is the folder itself
	refused []string
}

// entry is one file or folder, and its own fs.FileInfo and fs.DirEntry.
type entry struct {
	name  string
	mode  fs.FileMode
	hash  string // of a file
	names []string
}

// Tree lists the folder dir of a commit; dir is relative to the root, and "." is the
// root. A missing folder is empty.
func (r *Repo) Tree(commit, dir string) (*Tree, error) {
	t := &Tree{repo: r, entries: map[string]*entry{".": {name: ".", mode: fs.ModeDir | 0o555}}}
	name := commit + "^{tree}"
	if dir != "." {
		name = commit + ":" + dir
		if kind, err := r.git("cat-file", "-t", name); err != nil || strings.TrimSpace(kind) != "tree" {
			return t, nil //nolint:nilerr // no such folder
		}
	}
	out, err := r.git("ls-tree", "-r", "-z", "--full-tree", name)
	if err != nil {
		return nil, err
	}
	for line := range strings.SplitSeq(out, "\x00") {
		meta, file, ok := strings.Cut(line, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 3 {
			continue
		}
		mode := fs.FileMode(0o444)
		switch fields[0] {
		case "120000":
			mode |= fs.ModeSymlink
		case "160000":
			mode |= fs.ModeIrregular
		}
		t.add(file, &entry{name: path.Base(file), mode: mode, hash: fields[2]})
	}
	for _, e := range t.entries {
		slices.Sort(e.names)
	}
	return t, nil
}

func (t *Tree) add(file string, e *entry) {
	t.entries[file] = e
	for {
		dir := path.Dir(file)
		parent, known := t.entries[dir]
		if !known {
			parent = &entry{name: path.Base(dir), mode: fs.ModeDir | 0o555}
			t.entries[dir] = parent
		}
		parent.names = append(parent.names, path.Base(file))
		if known {
			return
		}
		file = dir
	}
}

// Hash returns the id of a file's content; "" if it is not a regular file.
func (t *Tree) Hash(file string) string {
	if e := t.entries[file]; e != nil && e.mode.IsRegular() {
		return e.hash
	}
	return ""
}

// Files lists the regular files, sorted.
func (t *Tree) Files() []string {
	var files []string
	for name, e := range t.entries {
		if e.mode.IsRegular() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

// Refused lists the symbolic links and submodules that were opened, each once.
func (t *Tree) Refused() []string { return t.refused }

// lookup finds an entry, and records when a link is opened.
func (t *Tree) lookup(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if e := t.entries[name]; e != nil {
		if e.mode.IsDir() || e.mode.IsRegular() {
			return e, nil
		}
		return nil, t.refuse(op, name)
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if e := t.entries[dir]; e != nil && !e.mode.IsDir() && !e.mode.IsRegular() {
			return nil, t.refuse(op, dir)
		}
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

func (t *Tree) refuse(op, name string) error {
	if !slices.Contains(t.refused, name) {
		t.refused = append(t.refused, name)
	}
	return &fs.PathError{Op: op, Path: name, Err: errLink}
}

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	e, err := t.lookup("open", name)
	if err != nil {
		return nil, err
	}
	if e.mode.IsDir() {
		return &openDir{tree: t, path: name, entry: e}, nil
	}
	content, err := t.repo.blob(e.hash)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openFile{entry: e, Reader: bytes.NewReader(content)}, nil
}

// Stat implements fs.StatFS. It reads no content, so the size of a file is unknown.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	e, err := t.lookup("stat", name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := t.lookup("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.mode.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a folder")}
	}
	all := make([]fs.DirEntry, len(e.names))
	for i, below := range e.names {
		all[i] = fs.FileInfoToDirEntry(t.entries[path.Join(name, below)])
	}
	return all, nil
}

func (e *entry) Name() string       { return e.name }
func (e *entry) Size() int64        { return 0 }
func (e *entry) Mode() fs.FileMode  { return e.mode }
func (e *entry) ModTime() time.Time { return time.Time{} }
func (e *entry) IsDir() bool        { return e.mode.IsDir() }
func (e *entry) Sys() any           { return nil }

// openFile is a file with its whole content.
type openFile struct {
	*bytes.Reader

	entry *entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

// openDir is a folder being read.
type openDir struct {
	tree  *Tree
	path  string
	entry *entry
	read  int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("it is a folder")}
}

// ReadDir implements fs.ReadDirFile.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	all, err := d.tree.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("read a folder: %w", err)
	}
	all = all[d.read:]
	if n > 0 && len(all) == 0 {
		return nil, io.EOF
	}
	if n > 0 && len(all) > n {
		all = all[:n]
	}
	d.read += len(all)
	return all, nil
}
