package format

import (
	"net/mail"
	"strings"
)

// isEmail reports whether s is an address of RFC 5321.
func isEmail(s string) bool { return isASCII(s) && isAddress(s, isHostname) }

// isInternationalEmail reports whether s is an address of RFC 6531: one with characters
// beyond ASCII.
func isInternationalEmail(s string) bool { return isAddress(s, isInternationalHostname) }

// isAddress reports whether s is an address of an email: a dotted or quoted local part,
// and a host name or an IP address in brackets.
func isAddress(s string, isHost func(string) bool) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		address, tagged := strings.CutPrefix(literal, "IPv6:")
		isIP := isIPv4
		if tagged {
			isIP = isIPv6
		}
		if !closed || !isIP(address) {
			return false
		}
	} else if !isHost(domain) {
		return false
	}
	a, err := mail.ParseAddress(local + "@example.com")
	if err != nil || a.Name != "" || strings.ContainsAny(local, "<>()") {
		return false
	}
	return local[0] == '"' || a.Address == local+"@example.com"
}
