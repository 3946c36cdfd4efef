package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// escaped matches what would look like an escape of ComponentKey.
var escaped = regexp.MustCompile(`^_u[0-9A-F]+[^0-9A-Za-z.-]`)

// ComponentKey returns the key of a component of an exported document of AsyncAPI, which has
// only ASCII letters, digits, _, - and dots. Any other character becomes its code, so
// Größe is Gr_uF6__uDF_e. Different names have different keys.
func ComponentKey(name string) string {
	var b strings.Builder
	for i, r := range name {
		ascii := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-", r)
		if !ascii || r == '_' && escaped.MatchString(name[i:]) {
			fmt.Fprintf(&b, "_u%X_", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
