package example

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// formatted returns texts of a format, the best first: a usual one, a short one, and one
// with at least least characters. None for an unknown format.
func formatted(format string, n, least int) []string {
	text := numbered(format, n)
	if text == "" {
		return nil
	}
	all := []string{text}
	if text := short[format]; text != "" {
		all = append(all, text)
	}
	if missing := least - utf8.RuneCountInString(text); missing > 0 {
		if long := lengthened(format, text, missing); long != "" {
			all = append(all, long)
		}
	}
	return all
}

// short has the shortest texts of formats whose usual ones are longer.
var short = map[string]string{
	"duration":      "P1D",
	"email":         "a@b.co",
	"idn-email":     "a@b.co",
	"hostname":      "a",
	"idn-hostname":  "a",
	"ipv6":          "::1",
	"uri":           "a:b",
	"uri-reference": "a",
	"iri":           "a:b",
	"iri-reference": "a",
	"uri-template":  "a",
	"regex":         "a",
	"decimal":       "1",
}

// encodings has the formats whose texts are also those of an encoding.
var encodings = map[string]string{"base64": "byte", "base64url": "base64url", "base32": "base32", "base16": "base16", "hex": "base16"}

// lengthened returns a text of a format with more characters; "" if a format has no
// longer ones.
func lengthened(format, text string, more int) string {
	switch format {
	case "uri", "uri-reference", "iri", "iri-reference", "uri-template", "json-pointer":
		return text + strings.Repeat("x", more)
	case "email", "idn-email", "hostname", "idn-hostname":
		at := strings.LastIndexByte(text, '@') + 1
		const label = 60 // a label has at most 63 characters
		var b strings.Builder
		for more > 0 {
			n := min(more, label)
			if n == 1 { // a label alone
				n = 2
			}
			b.WriteString(strings.Repeat("x", n-1) + ".")
			more -= n
		}
		return text[:at] + b.String() + text[at:]
	case "decimal":
		return text + strings.Repeat("0", more)
	case "byte", "base64url":
		return repeated("YWFh", more) + text
	case "base32":
		return repeated("MFQWCYLB", more) + text
	case "base16":
		return repeated("61", more) + text
	}
	return ""
}

// repeated returns a group as often as it has the characters.
func repeated(group string, characters int) string {
	return strings.Repeat(group, (characters+len(group)-1)/len(group))
}

// numbered returns the text of a format with a number; "" for an unknown format. The
// texts are different, as far as the format has so many.
func numbered(format string, n int) string {
	switch format {
	case "uuid", "guid":
		return fmt.Sprintf("018fd0a0-0000-7000-8000-%012x", 0xa+n)
	case "email", "idn-email":
		return among(n, "ada@example.com", "grace@example.com", "user%d@example.com")
	case "hostname", "idn-hostname":
		return among(n, "www.example.com", "api.example.com", "host%d.example.com")
	case "ipv4":
		const most = 254 // addresses in a network for documentation
		if n < most {
			return fmt.Sprintf("192.0.2.%d", n+1)
		}
		return fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
	case "ipv6":
		return fmt.Sprintf("2001:db8::%x", n+1)
	case "uri", "iri":
		return "https://example.com/" + letter(n)
	case "uri-reference", "iri-reference", "json-pointer":
		return "/" + letter(n)
	case "uri-template":
		return among(n, "/orders/{id}", "/customers/{id}", "/kind%d/{id}")
	case "relative-json-pointer":
		return strconv.Itoa(n)
	case "regex":
		return among(n, "^[a-z]+$", "^[0-9]+$", "^[a-z]{%d}$")
	case "byte":
		return base64.StdEncoding.EncodeToString(someBytes(n))
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(someBytes(n))
	case "base32":
		return base32.StdEncoding.EncodeToString(someBytes(n))
	case "base16":
		return strings.ToUpper(hex.EncodeToString(someBytes(n)))
	case "decimal":
		return among(n, "12.50", "7.25", "%d.75")
	}
	return moment(format, n)
}

func someBytes(n int) []byte { return []byte(among(n, "example", "text", "text %d")) }

// moment returns a time in one of the formats for times.
func moment(format string, n int) string {
	first := time.Date(2026, time.January, 15, 9, 30, 0, 0, time.UTC)
	switch format {
	case "date-time":
		return first.AddDate(0, 0, n).Format(time.RFC3339)
	case "date":
		return first.AddDate(0, 0, n).Format(time.DateOnly)
	case "time":
		return first.Add(time.Duration(n) * time.Minute).Format("15:04:05Z")
	case "duration":
		return among(n, "PT1H30M", "P1D", "PT%dM")
	}
	return ""
}

// among returns the first or the second text, or the third with the number in it.
func among(n int, first, second, others string) string {
	switch n {
	case 0:
		return first
	case 1:
		return second
	default:
		return fmt.Sprintf(others, n)
	}
}

// letter returns a letter, or after the last one a letter and a number.
func letter(n int) string {
	const letters = 'z' - 'a' + 1
	if n < letters {
		return string(rune('a' + n))
	}
	return "a" + strconv.Itoa(n)
}
