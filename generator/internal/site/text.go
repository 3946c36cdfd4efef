package site

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible replaces characters of a page that would not be seen, or would change the
// order of what is seen, with a replacement character.
func visible(page string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && !joins(r), r == utf8.RuneError:
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(page, "\r\n", "\n"))
}

// joins reports whether an invisible character is needed in words of some languages, and
// in emoji: the joiners, and the marks of the direction of one place.
func joins(r rune) bool { return r >= 0x200C && r <= 0x200F || r == 0x061C }

// summary returns the first sentence of a description, or its beginning.
func summary(text string) string {
	first := sentence(proseOf(text).Lead)
	const most = 200
	if runes := []rune(first); len(runes) > most {
		first = strings.TrimRight(string(runes[:most-1]), " ") + "…"
	}
	return first
}

// sentence returns the first sentence of a text. The dot of an abbreviation or of an
// initial does not end it.
func sentence(text string) string {
	for at := 0; ; {
		end := strings.Index(text[at:], ". ")
		if end < 0 {
			return text
		}
		at += end + 1
		words := strings.Fields(text[:at])
		last := strings.TrimLeft(words[len(words)-1], "([\"'")
		letters := []rune(strings.TrimSuffix(last, "."))
		switch {
		case slices.Contains([]string{"e.g.", "i.e.", "etc.", "cf.", "vs.", "no.", "approx.", "incl."}, strings.ToLower(last)):
		case len(letters) == 1 && unicode.IsUpper(letters[0]): // an initial
		default:
			return text[:at]
		}
	}
}

// shorten returns a text with at most most characters.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
