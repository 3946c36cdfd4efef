// Package goname turns names from schemas into good Go identifiers: entity_id becomes
// EntityID, schemaUri becomes SchemaURI.
//
// Every function is pure. None of them knows other names, so two inputs may give one
// result; the caller resolves that.
package goname

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// Exported returns an exported identifier for s. It splits words at everything that is
// neither letter nor digit and at the humps of camel case, and joins them, with
// initialisms in capitals. The result is never empty: a name without letters and digits
// becomes X, or its code points if it has only symbols beyond ASCII (U1F389). A name
// that cannot begin an exported identifier gets the prefix X.
func Exported(s string) string {
	var b strings.Builder
	for _, w := range words(s) {
		b.WriteString(capital(w))
	}
	return exportable(b.String())
}

// Title returns an exported identifier for a title: like Exported, but inside a word
// nothing is changed, so that CJAssessmentCompleted and LlmConfig stay as they are. A
// word in lower case is capitalized.
func Title(s string) string {
	var b strings.Builder
	for _, w := range chunks(s) {
		if strings.ToLower(w) == w {
			b.WriteString(capital(w))
			continue
		}
		r := []rune(w)
		r[0] = unicode.ToUpper(r[0])
		b.WriteString(string(r))
	}
	return exportable(b.String())
}

// Package returns a package name for s: the letters and digits of ASCII in lower
// case, neither a keyword nor predeclared.
func Package(s string) string {
	name := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
	if name == "" || name[0] <= '9' {
		name = "pkg" + name
	}
	if Reserved(name) {
		name += "pkg"
	}
	return name
}

// Reserved reports whether name is a Go keyword, predeclared, or one of init, main and
// the blank identifier, which cannot be declared freely.
func Reserved(name string) bool {
	if token.IsKeyword(name) {
		return true
	}
	switch name {
	case "any", "bool", "byte", "comparable", "complex64", "complex128", "error", "float32", "float64",
		"int", "int8", "int16", "int32", "int64", "rune", "string",
		"uint", "uint8", "uint16", "uint32", "uint64", "uintptr",
		"true", "false", "iota", "nil",
		"append", "cap", "clear", "close", "complex", "copy", "delete", "imag", "len", "make",
		"max", "min", "new", "panic", "print", "println", "real", "recover",
		"init", "main", "_":
		return true
	}
	return false
}

func exportable(name string) string {
	if name == "" {
		return "X"
	}
	if !unicode.IsUpper([]rune(name)[0]) {
		return "X" + name
	}
	return name
}

// capital returns word, in any case, as one word of an exported name.
func capital(word string) string {
	upper := strings.ToUpper(word)
	switch {
	case upper == "IPV4", upper == "IPV6":
		return "IPv" + upper[3:]
	case initialism(upper):
		return upper
	}
	if stem, ok := strings.CutSuffix(upper, "S"); ok && pluralized(stem) {
		return stem + "s"
	}
	if word == upper && len(word) > 1 && strings.ContainsFunc(word, unicode.IsLetter) && strings.ContainsFunc(word, unicode.IsDigit) {
		return upper // a code such as ENG5 or SV1, not a word in capitals
	}
	r := []rune(strings.ToLower(word))
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

func pluralized(stem string) bool {
	return initialism(stem) && stem != "HTTP" && stem != "DN" && stem != "T" && stem != "O"
}

// initialism reports whether upper is written in capitals: the initialisms of Go's
// style, and those that are common in events.
func initialism(upper string) bool {
	switch upper {
	case "ACL", "API", "ASCII", "AWS", "BIC", "CI", "CD", "CJ", "CPU", "CSS", "CSV", "DB", "DNS", "EOF", "GCP", "GID", "GPU", "GUID",
		"HTML", "HTTP", "HTTPS", "IAM", "IBAN", "ID", "IO", "IOS", "IP", "ISO", "JSON", "JWT", "LHS", "LLM", "MD5", "MIME", "NLP", "OS", "PDF",
		"QPS", "RAM", "RFC", "RHS", "RPC", "SDK", "SHA", "SHA1", "SHA256", "SHA512", "SKU", "SLA", "SMTP", "SQL", "SSH", "SSO",
		"TCP", "TLS", "TTL", "UDP", "UI", "UID", "URI", "URL", "URN", "UTC", "UTF8", "UUID", "VAT", "VM", "XML", "XSD", "YAML":
		return true
	}
	return false
}

// chunks splits s at everything that is neither letter nor digit. Signs that
// distinguish names become words: A+ and A- are APlus and AMinus, -1 is Minus1. So do
// letters that could be taken for others: see spelledOut.
func chunks(s string) []string {
	s = plain(s)
	var out []string
	var current []rune
	flush := func() {
		if len(current) > 0 {
			out = append(out, string(current))
			current = nil
		}
	}
	runes := []rune(s)
	bare := !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	for i, r := range runes {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			current = append(current, r)
		case r == '\'' || r == '’' || unicode.IsMark(r) || unicode.Is(unicode.Join_Control, r):
			// An apostrophe joins: "parent's" is one word. So do marks over letters,
			// which Go does not allow in a name.
		default:
			flush()
			last := i == len(runes)-1
			before := i > 0
			if word := sign(r, bare, before, last, i+1 < len(runes) && unicode.IsDigit(runes[i+1])); word != "" {
				out = append(out, word)
			}
		}
	}
	flush()
	if bare && len(out) == 0 {
		return codePoints(runes)
	}
	return spelledOut(out)
}

// codePoints returns a name for text without letters and digits, such as an emoji:
// U1F389.
func codePoints(runes []rune) []string {
	const most = 4
	var b strings.Builder
	for _, r := range runes {
		if r > unicode.MaxASCII && unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.IsMark(r) && b.Len() < most*6 {
			fmt.Fprintf(&b, "U%04X", r)
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return []string{b.String()}
}

// sign returns the word for a sign that has a meaning: any sign in a name of only
// signs, plus anywhere, minus at the end or before a number at the beginning.
func sign(r rune, bare, before, last, digitNext bool) string {
	switch {
	case r == '+':
		return "Plus"
	case r == '-' && (bare || last && before || !before && digitNext):
		return "Minus"
	case !bare:
		return ""
	}
	return signs[r]
}

var signs = map[rune]string{
	'*': "Star", '/': "Slash", '%': "Percent", '&': "And", '|': "Or", '!': "Not", '=': "Equal", '<': "Less", '>': "Greater", '?': "Question",
	'.': "Dot", ',': "Comma", ':': "Colon", '#': "Hash", '@': "At", '$': "Dollar", '_': "Underscore", '~': "Tilde",
}

// words returns the chunks, split further at the humps of camel case.
func words(s string) []string {
	var out []string
	for _, c := range chunks(s) {
		out = append(out, humps(c)...)
	}
	return out
}

// humps splits camel case: before a capital after a lower-case letter or a digit, and
// before the last capital of a run that a lower-case letter follows. A plural s stays
// with its initialism (userIDs), and digits stay with the word before them.
func humps(chunk string) []string {
	r := []rune(chunk)
	var out []string
	start := 0
	for i := 1; i < len(r); i++ {
		if !unicode.IsUpper(r[i]) {
			continue
		}
		afterSmall := !unicode.IsUpper(r[i-1])
		beforeSmall := i+1 < len(r) && unicode.IsLower(r[i+1])
		if beforeSmall && !afterSmall && pluralEnd(r, start, i) {
			continue
		}
		if afterSmall && !codeRun(r[start:i+1]) || beforeSmall {
			out = append(out, string(r[start:i]))
			start = i
		}
	}
	return append(out, string(r[start:]))
}

// pluralEnd reports whether r[start:i+2] is an initialism and its plural s,
// with the chunk or the hump ending there.
func pluralEnd(r []rune, start, i int) bool {
	if r[i+1] != 's' || i+2 < len(r) && !unicode.IsUpper(r[i+2]) {
		return false
	}
	return pluralized(string(r[start : i+1]))
}

// codeRun reports whether word has only capitals and digits (UTF8, A1B2), where a
// capital after a digit begins no new word.
func codeRun(word []rune) bool {
	return !slices.ContainsFunc(word, func(c rune) bool { return !unicode.IsUpper(c) && !unicode.IsDigit(c) })
}
