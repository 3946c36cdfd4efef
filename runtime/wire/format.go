package wire

import (
	"io"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// Format checks that s has the format, one of those that stay strings in Go:
// email, hostname, ipv4, ipv6, uri, uri-reference, their international forms
// idn-email, idn-hostname, iri and iri-reference, uri-template, json-pointer,
// relative-json-pointer, regex. Any other format passes.
func Format[S ~string](c *Checker, s S, format string, at ...any) {
	switch format {
	case "7bit", "quoted-printable":
		if !isEncoded(string(s), format) {
			c.Fail("contentEncoding", "must be "+format, at...)
		}
		return
	}
	if !hasFormat(string(s), format) {
		c.Fail("format", "must have the format "+format, at...)
	}
}

func hasFormat(s, format string) bool {
	switch format {
	case "email":
		return isASCII(s) && isEmail(s, isHostname)
	case "idn-email":
		return isEmail(s, isInternationalHostname)
	case "hostname":
		return isHostname(s)
	case "idn-hostname":
		return isInternationalHostname(s)
	case "iri", "iri-reference":
		escaped, ok := escapeIRI(s)
		return ok && hasFormat(escaped, "u"+format[1:])
	case "uri-template":
		return isTemplate(s)
	case "ipv4":
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is4()
	case "ipv6":
		a, err := netip.ParseAddr(s)
		return err == nil && a.Is6() && a.Zone() == ""
	case "uri":
		u, err := url.Parse(s)
		return err == nil && u.IsAbs() && isURIText(s)
	case "uri-reference":
		_, err := url.Parse(s)
		return err == nil && isURIText(s)
	case "json-pointer":
		return isPointer(s)
	case "relative-json-pointer":
		rest := strings.TrimLeft(s, "0123456789")
		digits := s[:len(s)-len(rest)]
		return digits != "" && (digits == "0" || digits[0] != '0') && (rest == "#" || isPointer(rest))
	case "regex":
		return ecma.Valid(s)
	}
	return true
}

// isEmail reports whether s is an address of RFC 5321, or of RFC 6531 with
// characters beyond ASCII: a dotted or quoted local part, and a host name or an IP
// address in brackets.
func isEmail(s string, isHost func(string) bool) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return false
	}
	local, domain := s[:at], s[at+1:]
	if literal, ok := strings.CutPrefix(domain, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		address, tagged := strings.CutPrefix(literal, "IPv6:")
		version := "ipv4"
		if tagged {
			version = "ipv6"
		}
		if !closed || !hasFormat(address, version) {
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

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isURIText reports whether s has only characters that RFC 3986 allows, and
// whole percent escapes.
func isURIText(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ', c >= 0x7f, strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return false
		case c == '%' && (i+2 >= len(s) || !isHexDigit(s[i+1]) || !isHexDigit(s[i+2])):
			return false
		}
	}
	return true
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

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

// isEncoded reports whether s is valid text of a MIME encoding that is not decoded:
// 7bit or quoted-printable.
func isEncoded(s, encoding string) bool {
	for i := range len(s) {
		if s[i] == 0 || s[i] >= 0x80 {
			return false
		}
	}
	if encoding == "7bit" {
		return true
	}
	_, err := io.Copy(io.Discard, quotedprintable.NewReader(strings.NewReader(s)))
	return err == nil
}
