package site

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// slug returns the file name for a name: the name itself if every file system and URL
// takes it, else what is left of it with a hash. Two names never have one slug, also
// where upper and lower case are the same: only the second form has a ~.
func slug(name string) string {
	if isPlain.MatchString(name) && !isDevice(name) {
		return name
	}
	const most = 60
	kept := strings.Trim(notPlain.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if len(kept) > most {
		kept = strings.TrimRight(kept[:most], "-.")
	}
	if isDevice(kept) {
		kept = "x-" + kept
	}
	sum := sha256.Sum256([]byte(name))
	return kept + "~" + hex.EncodeToString(sum[:8])
}

var (
	isPlain  = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]{0,118}[a-z0-9_])?$`)
	notPlain = regexp.MustCompile(`[^a-z0-9._-]+`)
)

// isDevice reports whether Windows has a device of this name.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	if slices.Contains([]string{"con", "prn", "aux", "nul"}, base) {
		return true
	}
	const port = len("com1")
	return len(base) == port && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt"))
}
