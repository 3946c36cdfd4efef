package format

import "strings"

// isPointer reports whether s is a JSON Pointer of RFC 6901.
func isPointer(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != '/' {
		return false
	}
	for i := range len(s) {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return false
		}
	}
	return true
}

// isRelativePointer reports whether s is a Relative JSON Pointer.
func isRelativePointer(s string) bool {
	rest := strings.TrimLeft(s, "0123456789")
	digits := s[:len(s)-len(rest)]
	return digits != "" && (digits == "0" || digits[0] != '0') && (rest == "#" || isPointer(rest))
}
