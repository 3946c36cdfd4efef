// Package licences finds the licences of the modules that the released commands are
// built from. Those that it allows may be linked into a program with any licence. Whoever
// passes a binary on must pass on the texts of the licences, so the release archives have
// them.
package licences

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/google/licenseclassifier/v2/assets"
)

// allowed has the licences that a linked module may have, by their SPDX ids. MPL-2.0
// applies to the files of the module alone, and wants to be told where its source is: the
// list of modules in an archive tells that.
var allowed = map[string]bool{
	"Apache-2.0":   true,
	"BSD-2-Clause": true,
	"BSD-3-Clause": true,
	"ISC":          true,
	"MIT":          true,
	"MPL-2.0":      true,
	"PostgreSQL":   true,
}

// Own is the licence of this repository's modules.
const Own = "Apache-2.0"

// Text is a file that must be passed on with a binary.
type Text struct {
	Name string
	Text string
}

// Licence is the licence of one module.
type Licence struct {
	// Expression is an SPDX expression, such as "MIT" or "Apache-2.0 AND MIT".
	Expression string
	// Texts are the files with licences, notices and grants of patents, sorted by name.
	Texts []Text
}

var (
	// ErrUnknown is wrapped by the error of [Find] if a folder has no text that is known
	// to be a licence.
	ErrUnknown = errors.New("unknown licence")
	// ErrForbidden is wrapped by the error of [Find] if a licence is not allowed.
	ErrForbidden = errors.New("licence that is not allowed")
)

var (
	textFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|unlicense)([-._].*)?$`)
	program  = regexp.MustCompile(`(?i)\.(go|sh|py|json|ya?ml)$`)
	// notLicence matches names of files that are passed on, but have no licence of their
	// own.
	notLicence = regexp.MustCompile(`(?i)^(notice|patents)`)
)

// Find finds the licence in the folder of a module. The error says which file is unknown
// or not allowed.
func Find(dir string) (Licence, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Licence{}, err
	}
	var l Licence
	var ids []string
	for _, entry := range entries { // sorted by name
		name := entry.Name()
		if entry.IsDir() || !textFile.MatchString(name) || program.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return Licence{}, err
		}
		l.Texts = append(l.Texts, Text{name, string(text)})
		if notLicence.MatchString(name) {
			continue
		}
		found, err := recognise(text)
		if err != nil {
			return Licence{}, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		ids = append(ids, found...)
	}
	if len(ids) == 0 {
		return Licence{}, fmt.Errorf("%s: %w: no file with a licence", dir, ErrUnknown)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		if !allowed[id] {
			return Licence{}, fmt.Errorf("%s: %w: %s. Replace the dependency, or add the licence to cmd/internal/licences if it may be passed on with a binary",
				dir, ErrForbidden, id)
		}
	}
	l.Expression = strings.Join(ids, " AND ")
	return l, nil
}

var known = sync.OnceValues(assets.DefaultClassifier)

// matching is held while the classifier reads a text, because it writes to the texts that
// it knows.
var matching sync.Mutex

// recognise returns the SPDX ids of the licences in a text.
func recognise(text []byte) ([]string, error) {
	c, err := known()
	if err != nil {
		return nil, err
	}
	matching.Lock()
	defer matching.Unlock()
	const sure = 0.9
	var ids []string
	for _, m := range c.Match(text).Matches {
		if (m.MatchType == "License" || m.MatchType == "Header") && m.Confidence >= sure {
			ids = append(ids, m.Name)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: read the text, and name the licence in cmd/internal/licences", ErrUnknown)
	}
	return ids, nil
}
