package migrations

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// sumName is Atlas's checksum file.
const sumName = "atlas.sum"

// leftOut is the directive that excludes a file's contents from the checksums.
var leftOut = regexp.MustCompile(`^[ -~]*atlas:sum +ignore *(?:\n|$)`)

func atlas(m migration, o Options) ([]File, error) {
	version, err := o.stamp("20060102150405")
	if err != nil {
		return nil, err
	}
	file := File{version + "_" + m.name + ".sql", text(m.up)}
	if o.Dir == nil {
		return []File{file}, nil
	}
	all := []File{file}
	names, err := fs.Glob(o.Dir, "*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == file.Name {
			continue
		}
		content, err := fs.ReadFile(o.Dir, name)
		if err != nil {
			return nil, fmt.Errorf("read the migrations that are there, for %s: %w", sumName, err)
		}
		all = append(all, File{name, content})
	}
	slices.SortFunc(all, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return []File{file, {sumName, atlasSum(all)}}, nil
}

// atlasSum computes atlas.sum over the files of a folder, sorted by name. Each
// line has the hash of everything up to its file; the first line has the hash of
// all names and hashes.
func atlasSum(files []File) []byte {
	running, total := sha256.New(), sha256.New()
	var lines strings.Builder
	for _, f := range files {
		running.Write([]byte(f.Name))
		if leftOut.Match(f.Content) {
			continue
		}
		running.Write(f.Content)
		hash := base64.StdEncoding.EncodeToString(running.Sum(nil))
		total.Write([]byte(f.Name + hash))
		fmt.Fprintf(&lines, "%s h1:%s\n", f.Name, hash)
	}
	return []byte("h1:" + base64.StdEncoding.EncodeToString(total.Sum(nil)) + "\n" + lines.String())
}
