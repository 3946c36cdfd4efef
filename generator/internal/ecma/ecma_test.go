package ecma_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/ecma"
)

const spaces = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

// Patterns, and their translations to Go.
func TestTranslate(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		``:                 ``,
		`^([A-F][+-]?|U)$`: `^([A-F][+-]?|U)$`,
		`a/b\/c\-d`:        `a/b/c-d`,
		`[\w\-.]+`:         `[\w\-.]+`,
		`[-a]|[a-]|[\w-.]`: `[-a]|[a-]|[\w\-.]`,
		`.`:                `[^\n\r\x{2028}\x{2029}]`,
		`\u00e5\u{1F600}`:  `\x{00e5}\x{1F600}`,
		`\ud83d\ude00[\ud83d\ude00-\ud83d\ude4f]`: `\x{1f600}[\x{1f600}-\x{1f64f}]`,
		`(?<year>\d{4})\cA`:                       `(\d{4})\x01`,
		`[\s]\s`:                                  `[` + spaces + `][` + spaces + `]`,
		`^\p{L}+\b\0[\b]`:                         `^\p{L}+\b\x00[\x08]`,
		`[[]`:                                     `[\[]`,
		`[^][]`:                                   `(?s:.)[^\x00-\x{10FFFF}]`,
		`[\s\S]`:                                  `(?s:.)`,
		`\ud800|[\ud800]`:                         `[^\x00-\x{10FFFF}]|[^\x00-\x{10FFFF}]`,
		`{a}]`:                                    `\{a}\]`,
		`\p{Letter}\p{Script=Grek}\P{gc=Uppercase_Letter}[\p{sc=Latin}]`: `\p{L}\p{Greek}\P{Lu}[\p{Latin}]`,
		`\p{ASCII}`:                  `[\x{0}-\x{7f}]`,
		`(?i)ab`:                     `(?i)ab`,
		`a+?b{2,}?`:                  `a+?b{2,}?`,
		`a{2000}`:                    `a{1000}a{1000}`,
		`a{3,1500}`:                  `(?:a{1000}a{0,500}|a{3,999})`,
		`a{1500,}`:                   `a{1000}a{500,}`,
		`(?:a{1,60}-){1,40}`:         `(?:(?:a{1,60}-){16}(?:(?:a{1,60}-){16}(?:a{1,60}-){0,8}|(?:a{1,60}-){0,15})|(?:a{1,60}-){1,15})`,
		`^(?!foo)bar$`:               `(?!^foo)^bar$`,
		`^(?=.*[A-Z])(?=.*\d).{8,}$`: `(?=^[^\n\r\x{2028}\x{2029}]*[A-Z])(?=^[^\n\r\x{2028}\x{2029}]*\d)^[^\n\r\x{2028}\x{2029}]{8,}$`,
		`^[a-z-]+(?<!-)$`:            `(?!-$)^[a-z-]+$`,
		`^ab(?!c)[a-z]+$`:            `(?!^(?s:.){2}c)^ab[a-z]+$`,
		`foo(?=bar)`:                 `foobar`,
		`foo(?!b)`:                   `foo(?:$|[^b])`,
		`(?<=a)b`:                    `ab`,
		`(?<!a)b`:                    `(?:^|[^a])b`,
		`(?!a)[a-c]`:                 `[bc]`,
		`(?!a)[^\n]b`:                `[^\na]b`,
		`^(?:(?!--)[a-z-])*$`:        `(?!--)^[a-z-]*$`,
		`^(?:(?!foo).)*$`:            `(?!foo)^[^\n\r\x{2028}\x{2029}]*$`,
		`^(?:a|-(?=a))*$`:            `(?!-(?:$|[^a]))^(?:a|-)*$`,
		`^(?:(?!a)[a-z]+|x)$`:        `(?!^a)(?=^[a-z]+$)|(?=^x$)`,
		`(?!)`:                       `[^\x00-\x{10FFFF}]`,
		`(?=)`:                       ``,
		`(?=a)?b`:                    `b`,
		// Parts that need not be distinguished stay one expression.
		`a(?=b[^]*c)[^]*d|(?<!x)y`: `(?u)a(?=b[^]*c)[^]*d|(?<!x)y`,
		`^.{1,65535}$`:             `(?u)^.{1,65535}$`,
		`a{99999999999}`:           `(?u)a{99999999999}`,
		`(?i)a(?=b.)c|(?s-i:.)`:    `(?u)(?i)a(?=b.)c|(?s-i:.)`,
	} {
		got, err := ecma.Translate(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}

// What cannot be checked is reported, with its reason and place.
func TestUnchecked(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]ecma.Error{
		`x(a)\1`:                      {Reason: "a back reference", Offset: 4},
		`(?<a>b)\k<a>`:                {Reason: "a back reference", Offset: 7},
		`\u12`:                        {Reason: `\u without four digits`},
		`\xg`:                         {Reason: `\x without two digits`},
		`\c1`:                         {Reason: `\c without a letter`},
		`\01`:                         {Reason: "an octal escape"},
		`a\Z`:                         {Reason: `the escape \Z, which ECMA-262 does not have`, Offset: 1},
		`\p{Emoji}`:                   {Reason: `the property \p{Emoji}`},
		`\pL`:                         {Reason: `\p without a property in braces`},
		`(?m)^a`:                      {Reason: "the flags (?m)"},
		`(?>a)`:                       {Reason: "a group (?>, which ECMA-262 does not have"},
		`a++`:                         {Reason: "a possessive repeat, which ECMA-262 does not have", Offset: 2},
		`(?:(?:a{1000}){1000}){1000}`: {Reason: "repeats that are too large together"},
		`(`:                           {Reason: "a ( is not closed", Broken: true},
		`a)`:                          {Reason: "a ) closes nothing", Offset: 1, Broken: true},
		`[a`:                          {Reason: "a [ is not closed", Broken: true},
		`a|*`:                         {Reason: "there is nothing for * to repeat", Offset: 2, Broken: true},
		`[z-a]`:                       {Reason: "the range z-a is backwards", Offset: 1, Broken: true},
		`a{3,2}`:                      {Reason: "the repeat {3,2} is backwards", Offset: 1, Broken: true},
		`a{99999999999,99999999998}`:  {Reason: "the repeat {99999999999,99999999998} is backwards", Offset: 1, Broken: true},
		`(a)\1)`:                      {Reason: "a ) closes nothing", Offset: 5, Broken: true},
		`\p{Hyphen}`:                  {Reason: `the property \p{Hyphen}`},
		`a\`:                          {Reason: "it ends in a backslash", Offset: 1, Broken: true},
		strings.Repeat("(", 500) + strings.Repeat(")", 500): {Reason: "groups that are nested too deep", Offset: 200},
	} {
		_, err := ecma.Translate(pattern)
		if diff := cmp.Diff(error(&want), err); diff != "" {
			t.Errorf("%.40s (-want +got):\n%s", pattern, diff)
		}
	}
}

// A back reference is read as any text of its group, if that allows more.
func TestLoosely(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`^(["']).*\1$`:                `^(["'])[^\n\r\x{2028}\x{2029}]*(?:(["'])?)$`,
		`^(?<q>a|b\b)\k<q>+`:          `^(a|b\b)(?:(a|b(?:))?)+`,
		`(a)(?:b)(?<c>c)\2\k<c>`:      `(a)(?:b)(c)(?:(c)?)(?:(c)?)`,
		`(a(?=b)[a-c])\1`:             `a[b](a(?:)[a-c])?`,
		`(?=(a))\1`:                   `a`,
		`(a)(?!\1)`:                   "none",
		`(?!(a)\1)b`:                  "none",
		`(?<!\1(a))b`:                 "none",
		`\1(a)`:                       "none",
		`(a\1)`:                       "none",
		`(?i)(a)\1`:                   "none",
		`(?i:(a))\1`:                  "none",
		`(a)\2`:                       "none",
		`(a)\k<b>`:                    "none",
		`(a)\k`:                       "none",
		`(a)`:                         "none",
		`(a)\1)`:                      "none",
		strings.Repeat(`(a)\1`, 1500): "none",
		`(a)(\1\1)(\2\2)(\3\3)(\4\4)(\5\5)(\6\6)(\7\7)(\8\8)(\9\9)(\10\10)`: "none",
	} {
		got := "none"
		if p, ok := ecma.Loosely(pattern); ok {
			got = p.String()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.60s (-want +got):\n%s", pattern, diff)
		}
	}
}

// A pattern may be as large as it is written: only repeats make it too large.
func TestManyAlternatives(t *testing.T) {
	t.Parallel()
	var codes []string
	for i := range 20_000 {
		codes = append(codes, fmt.Sprintf("code-%d", i))
	}
	all, some := "(?:"+strings.Join(codes, "|")+")", "(?:"+strings.Join(codes[:3000], "|")+")"
	for pattern, want := range map[string][2]string{
		"^" + all + "$":             {"code-19999", "code-20000"},
		some + `{2}x`:               {"code-7code-2999x", "code-7x"},
		"^(?!code-7$)" + some + "$": {"code-2999", "code-7"},
	} {
		found, err := ecma.Translate(pattern)
		if err != nil {
			t.Errorf("%.30s: %v", pattern, err)
			continue
		}
		if m := found.Matcher(); !m.MatchString(want[0]) || m.MatchString(want[1]) {
			t.Errorf("%.30s: %s matches %t, %s %t", pattern, want[0], m.MatchString(want[0]), want[1], m.MatchString(want[1]))
		}
	}
}
