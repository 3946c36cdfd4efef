package format

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	maxHostname = 253
	maxLabel    = 63
)

// isHostname reports whether s is a host name of RFC 1123.
func isHostname(s string) bool {
	if len(s) > maxHostname {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

// isLabel reports whether s is a label of a host name in ASCII.
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' {
			return false
		}
	}
	return true
}

// labelDots are the full stops that may separate the labels of a host name.
var labelDots = strings.NewReplacer("。", ".", "．", ".", "｡", ".")

// isInternationalHostname reports whether s is a host name of RFC 5890: labels
// in ASCII, or of the characters that RFC 5892 allows, in the context that it
// asks for. It does not look at the direction of the text, and of letters beside
// a zero width non-joiner only at their scripts.
func isInternationalHostname(s string) bool {
	length := -1
	for label := range strings.SplitSeq(labelDots.Replace(s), ".") {
		ascii, ok := internationalLabel(label)
		if length += len(ascii) + 1; !ok || length > maxHostname {
			return false
		}
	}
	return true
}

// internationalLabel returns a label in ASCII, and whether it is valid.
func internationalLabel(s string) (ascii string, ok bool) {
	const prefix = "xn--"
	if !isASCII(s) {
		code, ok := encodePunycode(s)
		return prefix + code, ok && len(prefix+code) <= maxLabel && isUnicodeLabel(s)
	}
	if !isLabel(s) {
		return "", false
	}
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, true
	}
	code := strings.ToLower(s[len(prefix):])
	decoded, ok := decodePunycode(code)
	if !ok || isASCII(decoded) || !isUnicodeLabel(decoded) {
		return "", false
	}
	again, ok := encodePunycode(decoded)
	return s, ok && again == code
}

// isUnicodeLabel reports whether s is a label with characters beyond ASCII.
func isUnicodeLabel(s string) bool {
	text := []rune(s)
	if !utf8.ValidString(s) || text[0] == '-' || text[len(text)-1] == '-' || unicode.IsMark(text[0]) {
		return false
	}
	if len(text) > 3 && text[2] == '-' && text[3] == '-' {
		return false
	}
	for i, r := range text {
		if rule, contextual := labelContexts[r]; contextual {
			if !rule(text, i) {
				return false
			}
		} else if !inLabel(r) {
			return false
		}
	}
	return true
}

// inLabel reports whether a character may stand in a label whatever is beside
// it: PVALID in RFC 5892.
func inLabel(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z'
	case strings.ContainsRune("ßς۽۾་〇", r):
		return true
	case strings.ContainsRune("ـߺ〮〯〱〲〳〴〵〻", r), strings.ContainsRune(arabicDigits+extendedDigits, r):
		return false
	case !unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd):
		return false
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, oldJamo):
		return false
	}
	return isStable(r)
}

// isStable reports whether folding the case of a character and normalizing it does not
// change it.
func isStable(r rune) bool {
	s := string(r)
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s))) == s
}

// isVirama reports whether a character has the combining class of viramas.
func isVirama(r rune) bool { return norm.NFC.PropertiesString(string(r)).CCC() == 9 }

// oldJamo are the conjoining jamo of Hangul.
var oldJamo = &unicode.RangeTable{R16: []unicode.Range16{{0x1100, 0x11ff, 1}, {0xa960, 0xa97c, 1}, {0xd7b0, 0xd7fb, 1}}}

const (
	arabicDigits   = "٠١٢٣٤٥٦٧٨٩"
	extendedDigits = "۰۱۲۳۴۵۶۷۸۹"
)

// labelContexts are the characters that may stand in a label depending on what
// is beside them.
var labelContexts = func() map[rune]func(text []rune, i int) bool {
	rules := map[rune]func(text []rune, i int) bool{
		'·': func(text []rune, i int) bool {
			return i > 0 && i+1 < len(text) && text[i-1] == 'l' && text[i+1] == 'l'
		},
		'͵':      func(text []rune, i int) bool { return i+1 < len(text) && unicode.Is(unicode.Greek, text[i+1]) },
		'׳':      afterHebrew,
		'״':      afterHebrew,
		'・':      besideJapanese,
		'\u200d': func(text []rune, i int) bool { return i > 0 && isVirama(text[i-1]) },
		'\u200c': func(text []rune, i int) bool {
			return i > 0 && isVirama(text[i-1]) || joins(text[:i], -1) && joins(text[i+1:], 1)
		},
	}
	for _, digit := range arabicDigits {
		rules[digit] = func(text []rune, _ int) bool { return !strings.ContainsAny(string(text), extendedDigits) }
	}
	for _, digit := range extendedDigits {
		rules[digit] = func(text []rune, _ int) bool { return !strings.ContainsAny(string(text), arabicDigits) }
	}
	return rules
}()

func afterHebrew(text []rune, i int) bool { return i > 0 && unicode.Is(unicode.Hebrew, text[i-1]) }

func besideJapanese(text []rune, _ int) bool {
	for _, r := range text {
		if r != '・' && unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Han) {
			return true
		}
	}
	return false
}

// joins reports whether the letter next to a place, marks left out, is of a
// script whose letters join: the first of text, or with step -1 the last.
func joins(text []rune, step int) bool {
	i := 0
	if step < 0 {
		i = len(text) - 1
	}
	for ; i >= 0 && i < len(text); i += step {
		if !unicode.Is(unicode.Mn, text[i]) {
			return unicode.In(text[i], unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Nko, unicode.Mongolian, unicode.Phags_Pa,
				unicode.Adlam, unicode.Manichaean, unicode.Psalter_Pahlavi, unicode.Hanifi_Rohingya, unicode.Sogdian, unicode.Chorasmian)
		}
	}
	return false
}
