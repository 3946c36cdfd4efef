package format_test

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/outboxgen/outboxgen/runtime/format"
)

// The formats with characters beyond ASCII, and templates of URIs.
func TestInternationalFormats(t *testing.T) {
	t.Parallel()
	for name, texts := range map[string]map[string]bool{
		"idn-email": {
			"실례@실례.테스트": true, "joe.bloggs@example.com": true, "å@xn--bcher-kva.example": true,
			"2962": false, "a b@c.se": false, "a@-b.c": false, "a@b..c": false, "å@〮실례.테스트": false,
		},
		"idn-hostname": {
			"실례.테스트": true, "bücher.example": true, "XN--BCHER-KVA.example": true, "a。b．c｡d": true, "faß.de": true, "example.com": true,
			"l·l": true, "α͵β": true, "א׳ב": true, "・ぁ": true, "क्\u200dष": true, "ب\u200cب": true, "بي\u200cبي": true, "ب٠": true, "ب۰": true,
			"": false, ".": false, "a..b": false, "a.": false, "〮실례": false, "Bücher": false, "ﬁsch": false, "ªb": false, "☃": false,
			"a·l": false, "α͵s": false, "a׳ב": false, "abc・def": false, "क\u200dष": false, "a\u200cb": false, "ب٠۰": false,
			"bü--cher": false, "büc--her": true, "bü-cher-": false, "-bücher": false, "ÀÁ": false, "xn--X": false, "xn--bcher-kvb": false, "xn--abc-": false, "xn--a-0000000000": false,
			strings.Repeat("ü", 63): false, strings.Repeat("a", 64): false, strings.Repeat("ab.", 90) + "ü": false, "b\u0488": false,
		},
		"iri": {
			"http://ƒøø.ßår/?∂éœ=πîx#πîüx": true, "urn:å": true, "http://[::1]/å": true, "http://a/?\ue000": true,
			"/abc": false, "âππ": false, `\\WINDOWS\filëßåré`: false, "http://a/\ue000": false, "http://a/#\ue000": false, "http://a/\ufffe": false, "http://a b": false,
		},
		"iri-reference": {"/âππ": true, "#ƒrägmênt": true, "//ƒøø.ßår/": true, "": true, `#ƒräg\mênt`: false, "a\u0080": false},
		"uri-template": {
			"http://example.com/dictionary/{term:1}/{term}": true, "{+path,x.y*}/å{?q%20,r:9999}": true, "": true, "a%20b": true, "it's": true,
			"{": false, "}": false, "{}": false, "{a": false, "{a b}": false, "{a:0}": false, "{a:10000}": false, "{a:1*}": false, "{a,}": false, "a b": false, "%2": false, "{a..b}": false,
		},
	} {
		for text, want := range texts {
			if got := format.Valid(text, name); got != want {
				t.Errorf("%s: %q is taken: %t, want %t", name, text, got, want)
			}
		}
	}
}

// A label holds the characters that RFC 5892 derives from Unicode's tables.
func TestLabelCharacters(t *testing.T) {
	t.Parallel()
	fold := cases.Fold()
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd) || strings.ContainsRune("ßς۽۾་〇ـߺ〮〯〱〲〳〴〵〻", r) {
			continue
		}
		s := string(r)
		want := norm.NFKC.String(fold.String(norm.NFKC.String(s))) == s &&
			!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
			(r < 0x1100 || r > 0x11ff) && (r < 0xa960 || r > 0xa97c) && (r < 0xd7b0 || r > 0xd7fb)
		if got := format.Valid("é"+s, "idn-hostname"); got != want {
			t.Errorf("%U is taken: %t, want %t", r, got, want)
		}
	}
}
