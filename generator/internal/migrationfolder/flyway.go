package migrationfolder

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// flywayName matches a migration of Flyway, or of a tool with the same file names:
// V1.2__what.sql has a version, R__what.sql is repeated whenever it changes,
// B3__what.sql replaces everything up to its version, and U1.2__what.sql undoes a
// version.
var flywayName = regexp.MustCompile(`^([VUB])(\d+(?:[._]\d+)*)__.*\.(?i:sql)$|^R__.*\.(?i:sql)$`)

// flywayParts returns the parts of such a name, or nil for other names. The folder in
// the name is ignored.
func flywayParts(name string) []string { return flywayName.FindStringSubmatch(path.Base(name)) }

// isFlyway reports whether a folder has a versioned migration of Flyway.
func isFlyway(contents map[string][]byte) bool {
	for name := range contents {
		if m := flywayParts(name); m != nil && (m[1] == "V" || m[1] == "B") {
			return true
		}
	}
	return false
}

// flyway returns the names of the migrations in the order in which Flyway applies them
// to an empty database: the last baseline, the versions after it, the repeatable ones.
// It leaves out undo migrations, and files with other names, such as callbacks.
func flyway(contents map[string][]byte) []string {
	var versioned, repeatable []string
	baseline := ""
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		m := flywayParts(name)
		switch {
		case m == nil:
		case m[1] == "V":
			versioned = append(versioned, name)
		case m[1] == "B":
			if baseline == "" || compareVersions(name, baseline) > 0 {
				baseline = name
			}
		case m[1] == "":
			repeatable = append(repeatable, name)
		}
	}
	slices.SortStableFunc(versioned, compareVersions)
	if baseline != "" {
		versioned = slices.DeleteFunc(versioned, func(name string) bool { return compareVersions(name, baseline) <= 0 })
		versioned = slices.Insert(versioned, 0, baseline)
	}
	slices.SortStableFunc(repeatable, func(a, b string) int { return cmp.Compare(path.Base(a), path.Base(b)) })
	return append(versioned, repeatable...)
}

// compareVersions compares names by their versions, part by part: 1.2 equals 1_2, and 1
// equals 1.0.
func compareVersions(a, b string) int {
	parts := func(name string) []string {
		return strings.FieldsFunc(flywayParts(name)[2], func(r rune) bool { return r == '.' || r == '_' })
	}
	x, y := parts(a), parts(b)
	for i := range max(len(x), len(y)) {
		part := func(of []string) string {
			if i >= len(of) {
				return ""
			}
			return strings.TrimLeft(of[i], "0")
		}
		p, q := part(x), part(y)
		if c := cmp.Or(cmp.Compare(len(p), len(q)), cmp.Compare(p, q)); c != 0 {
			return c
		}
	}
	return 0
}
