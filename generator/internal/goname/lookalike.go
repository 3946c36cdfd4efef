package goname

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A micro sign, an ohm sign, and the Greek letters that are written for them.
const (
	microSign   = '\u00b5'
	greekMu     = '\u03bc'
	ohmSign     = '\u2126'
	greekOmega  = '\u03a9'
	kelvinSign  = '\u212a'
	angstrom    = '\u212b'
	mathLetters = '\U0001d400' // bold, italic and other alphabets, each A to Z and a to z
	mathDigits  = '\U0001d7ce'
)

// plain returns s with its compatibility forms of ASCII letters and digits, such as the
// full-width ones, as ASCII.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case r >= '０' && r <= '９', r >= 'Ａ' && r <= 'Ｚ', r >= 'ａ' && r <= 'ｚ':
			return r - '０' + '0'
		case r == kelvinSign:
			return 'K'
		case r == angstrom:
			return 'Å'
		case r >= mathLetters && r < mathLetters+13*52:
			at := (r - mathLetters) % 52
			if at >= 26 {
				return 'a' + at - 26
			}
			return 'A' + at
		case r >= mathDigits && r < mathDigits+50:
			return '0' + (r-mathDigits)%10
		}
		return r
	}, s)
}

// spelledOut splits the chunks of a name further, where a letter needs a word of its own: µ
// in front of a unit is Micro, and the ohm sign is Ohm. A letter that looks like one of
// ASCII, among letters of ASCII, becomes the name of a Greek letter or a code point. A
// word of one script stays as it is.
func spelledOut(chunks []string) []string {
	ascii := strings.ContainsFunc(strings.Join(chunks, ""), asciiLetter)
	var out []string
	for _, chunk := range chunks {
		if isASCII(chunk) {
			out = append(out, chunk)
			continue
		}
		out = append(out, spelledOutChunk(chunk, ascii)...)
	}
	return out
}

// spelledOutChunk splits one chunk. ascii is true if its name has a letter of ASCII.
func spelledOutChunk(chunk string, ascii bool) []string {
	runes := []rune(chunk)
	mixed := strings.ContainsFunc(chunk, asciiLetter)
	replaced := (mixed || ascii && letters(chunk) == 1) && looksASCII(runes)
	var out []string
	var current []rune
	for i, r := range runes {
		word := unitWord(runes, i, mixed)
		if c := latin(r, i == 0); word == "" && replaced && c != 0 {
			if word = greekNames[unicode.ToUpper(r)]; word == "" {
				word = fmt.Sprintf("U%04X", r)
			}
		}
		if word == "" {
			current = append(current, r)
			continue
		}
		if len(current) > 0 {
			out, current = append(out, string(current)), nil
		}
		out = append(out, word)
	}
	if len(current) > 0 {
		out = append(out, string(current))
	}
	return out
}

// unitWord returns the word for the letter at i of a chunk if that letter belongs to a
// unit, or "". Among other Greek letters it is one of them.
func unitWord(runes []rune, i int, mixed bool) string {
	for at, r := range runes {
		if at != i && unicode.Is(unicode.Greek, r) {
			return ""
		}
	}
	switch r := runes[i]; {
	case r == microSign, r == greekMu && i+1 < len(runes) && asciiLetter(runes[i+1]) && (i == 0 || unicode.IsDigit(runes[i-1])):
		return "Micro"
	case r == ohmSign, r == greekOmega && mixed:
		return "Ohm"
	}
	return ""
}

// letters counts the letters of a chunk; the rest are digits.
func letters(chunk string) int {
	count := 0
	for _, r := range chunk {
		if unicode.IsLetter(r) {
			count++
		}
	}
	return count
}

func asciiLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// looksASCII reports whether every letter and digit of a chunk looks like one of ASCII.
func looksASCII(runes []rune) bool {
	for i, r := range runes {
		if r >= utf8.RuneSelf && latin(r, i == 0) == 0 {
			return false
		}
	}
	return true
}

// latin returns the letter of ASCII that r looks like in a Go name, where the first
// letter of a word is a capital; 0: none.
func latin(r rune, first bool) rune {
	if first {
		r = unicode.ToUpper(r)
	}
	return lookalikes[r]
}

// Looks returns a Go name as it looks: with letters of ASCII in place of the Greek and
// Cyrillic ones that look like them. Two names with one look cannot be told apart.
func Looks(name string) string {
	if isASCII(name) {
		return name
	}
	return strings.Map(func(r rune) rune {
		if c := lookalikes[r]; c != 0 {
			return c
		}
		return r
	}, name)
}

// lookalikes has the Greek and Cyrillic letters that look like letters of ASCII in most
// fonts.
var lookalikes = pairs(
	"ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορι", "ABEZHIKMNOPTYXavopi", // Greek
	"АВЕЅІЈКМНОРСТУХԚԜаеорсухѕіјԛԝһԁ", "ABESIJKMHOPCTYXQWaeopcyxsijqwhd", // Cyrillic
)

func pairs(texts ...string) map[rune]rune {
	of := map[rune]rune{}
	for i := 0; i < len(texts); i += 2 {
		ascii := texts[i+1]
		at := 0
		for _, r := range texts[i] {
			of[r] = rune(ascii[at])
			at++
		}
	}
	return of
}

// greekNames are the names of the Greek letters whose capitals look like ASCII.
var greekNames = map[rune]string{
	'Α': "Alpha", 'Β': "Beta", 'Ε': "Epsilon", 'Ζ': "Zeta", 'Η': "Eta", 'Ι': "Iota", 'Κ': "Kappa", 'Μ': "Mu", 'Ν': "Nu",
	'Ο': "Omicron", 'Ρ': "Rho", 'Τ': "Tau", 'Υ': "Upsilon", 'Χ': "Chi",
}
