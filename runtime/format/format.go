package format

import (
	"maps"
	"net/netip"
	"slices"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// checks has the check of every format.
var checks = map[string]func(s string) bool{
	"email":                 isEmail,
	"hostname":              isHostname,
	"idn-email":             isInternationalEmail,
	"idn-hostname":          isInternationalHostname,
	"ipv4":                  isIPv4,
	"ipv6":                  isIPv6,
	"iri":                   isIRI,
	"iri-reference":         isIRIReference,
	"json-pointer":          isPointer,
	"regex":                 ecma.Valid,
	"relative-json-pointer": isRelativePointer,
	"uri":                   isURI,
	"uri-reference":         isURIReference,
	"uri-template":          isTemplate,
}

// Names returns the formats that Valid checks, sorted.
func Names() []string { return slices.Sorted(maps.Keys(checks)) }

// Known reports whether name is one of Names.
func Known(name string) bool { return checks[name] != nil }

// Valid reports whether s has the format with this name. It returns true if the name is
// not one of Names.
func Valid(s, name string) bool {
	check := checks[name]
	return check == nil || check(s)
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func isIPv6(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
