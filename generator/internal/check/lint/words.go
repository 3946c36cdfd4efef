package lint

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// words splits a name at everything that is neither letter nor digit and where
// upper case begins: "order_id", "orderID" and "Order-Id" are order, id. The
// words are in lower case.
func words(name string) []string {
	var out []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(name)
	for i, c := range runes {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			end()
			continue
		}
		if i > 0 && unicode.IsUpper(c) {
			before := runes[i-1]
			ends := unicode.IsUpper(before) && i+1 < len(runes) && unicode.IsLower(runes[i+1]) // the S of HTTPServer
			if !unicode.IsUpper(before) || ends {
				end()
			}
		}
		word = append(word, c)
	}
	end()
	return out
}

// fits reports whether a name is written in one of schema.NameStyles.
func fits(name, style string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	separator := rune(-1)
	upper, lower := true, true // may be in it
	switch style {
	case "snake_case":
		separator, upper = '_', false
	case "kebab-case":
		separator, upper = '-', false
	case "UPPER_CASE":
		separator, lower = '_', false
	case "PascalCase":
		if !unicode.IsUpper(first) {
			return false
		}
	case "camelCase":
		if unicode.IsUpper(first) {
			return false
		}
	}
	if !unicode.IsLetter(first) {
		return false
	}
	last := rune(0)
	for _, c := range name {
		switch {
		case c == separator:
			if last == separator {
				return false
			}
		case !unicode.IsLetter(c) && !unicode.IsDigit(c), unicode.IsUpper(c) && !upper, unicode.IsLower(c) && !lower:
			return false
		}
		last = c
	}
	return last != separator
}

// styled writes a name in one of schema.NameStyles.
func styled(name, style string) string {
	parts := words(name)
	switch style {
	case "kebab-case":
		return strings.Join(parts, "-")
	case "UPPER_CASE":
		return strings.ToUpper(strings.Join(parts, "_"))
	case "snake_case":
		return strings.Join(parts, "_")
	}
	for i, part := range parts {
		if i == 0 && style == "camelCase" {
			continue
		}
		first, size := utf8.DecodeRuneInString(part)
		parts[i] = string(unicode.ToUpper(first)) + part[size:]
	}
	return strings.Join(parts, "")
}

// common returns the style that most names are written in; of equals the first of
// styles. "" when no name has any.
func common(names []string, styles []string) string {
	best, most := "", 0
	for _, style := range styles {
		n := 0
		for _, name := range names {
			if fits(name, style) {
				n++
			}
		}
		if n > most {
			best, most = style, n
		}
	}
	return best
}

// plain reports whether a name is made of letters, digits, _ and -, and begins
// with a letter: one that a style can be asked of.
func plain(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	return unicode.IsLetter(first) && !strings.ContainsFunc(name, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_' && c != '-'
	})
}

// one returns a word in the singular, as far as these rules need it: emails, phones,
// addresses.
func one(word string) string {
	switch {
	case strings.HasSuffix(word, "sses"):
		return word[:len(word)-2]
	case strings.HasSuffix(word, "s") && !strings.HasSuffix(word, "ss") && len(word) > 3:
		return word[:len(word)-1]
	}
	return word
}
