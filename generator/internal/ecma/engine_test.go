package ecma

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/runtime/ecma"
	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

// question is a pattern with texts for an engine of ECMA-262.
type question struct {
	Pattern string   `json:"pattern"`
	Texts   []string `json:"texts"`
}

type answer struct {
	Flags string  `json:"flags"` // u, none for an invalid pattern, or ""
	Found []*bool `json:"found"` // nil: not answered in time
}

// ask asks Node.js. Without Node.js the test is skipped.
func ask(t testing.TB, questions []question) []answer {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to compare with")
	}
	var in bytes.Buffer
	lines := json.NewEncoder(&in)
	for _, q := range questions {
		if err := lines.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), node, "testdata/match.js")
	command.Stdin = &in
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 1<<24)
	for scanner.Scan() {
		var a answer
		if err := json.Unmarshal(scanner.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers for %d questions", len(answers), len(questions))
	}
	return answers
}

// compare reports the texts about which a translated pattern and the engine
// disagree, and returns how many patterns were compared and how many were not
// translated.
func compare(t *testing.T, questions []question) (compared, unchecked, pairs int) {
	t.Helper()
	for i, a := range ask(t, questions) {
		q := questions[i]
		p, err := Translate(q.Pattern)
		if err != nil {
			unchecked++
			continue
		}
		if a.Flags == "none" {
			continue // of another dialect
		}
		m, whole := p.Matcher(), wholeOf(q.Pattern)
		compared++
		for k, text := range q.Texts {
			if a.Flags == "" && strings.ContainsFunc(text, func(r rune) bool { return r > 0xffff }) {
				continue // half of a character counts as one there
			}
			if a.Found[k] == nil {
				continue
			}
			pairs++
			if got := m.MatchString(text); got != *a.Found[k] {
				t.Errorf("%s\nbecomes %s\n%.60q: %v, the engine says %v (flags %q)", q.Pattern, p, text, got, *a.Found[k], a.Flags)
				break
			}
			if whole != nil && whole.MatchString(text) != *a.Found[k] {
				t.Errorf("%s, whole\n%.60q: the engine says %v (flags %q)", q.Pattern, text, *a.Found[k], a.Flags)
				break
			}
		}
	}
	return compared, unchecked, pairs
}

// wholeOf returns a pattern for package ecma of the runtime, which accepts all patterns
// that are not too large, also those that Go's regexp can express.
func wholeOf(pattern string) *Matcher {
	if _, err := ecma.Compile(pattern); err != nil {
		return nil
	}
	return Pattern{Whole: pattern}.Matcher()
}

// textsFor makes texts that a pattern may match, and texts that it may miss by little.
func textsFor(pattern string, rng *rand.Rand, n, longest int) []string {
	texts := []string{"", "a", "\n", "\u2028", "é", "😀", " \u00a0", "_", "0", "٣", "a\n", "Ω", "ſ"}
	tree, err := syntax.Parse(pattern)
	if err != nil {
		return texts
	}
	alphabet := []rune("ab0 -_.\n")
	for _, r := range pattern {
		if utf8.ValidRune(r) {
			alphabet = append(alphabet, r)
		}
	}
	for range n {
		text := []rune(sample(tree.Root, rng))
		for range rng.IntN(3) {
			at, r := rng.IntN(len(text)+1), alphabet[rng.IntN(len(alphabet))]
			switch {
			case rng.IntN(2) == 0 || at == len(text):
				text = slices.Insert(text, at, r)
			case rng.IntN(2) == 0:
				text = slices.Delete(text, at, at+1)
			default:
				text[at] = r
			}
		}
		if len(text) <= longest {
			texts = append(texts, string(text))
		}
	}
	return texts
}

// sample returns a text that n matches. It ignores look-arounds, except that it
// sometimes inserts what they look for.
func sample(n *node, rng *rand.Rand) string {
	switch n.Op {
	case syntax.Set:
		ranges := rangesOf(n.Text)
		if len(ranges) == 0 {
			return ""
		}
		i := rng.IntN(len(ranges)/2) * 2
		r := ranges[i] + rune(rng.IntN(int(min(ranges[i+1]-ranges[i], 300))+1))
		if !utf8.ValidRune(r) || unassigned(r) {
			return "a"
		}
		return string(r)
	case syntax.Sequence:
		var b strings.Builder
		for _, sub := range n.Subs {
			b.WriteString(sample(sub, rng))
		}
		return b.String()
	case syntax.Alternatives:
		return sample(n.Subs[rng.IntN(len(n.Subs))], rng)
	case syntax.Group:
		return sample(n.Subs[0], rng)
	case syntax.Repeat:
		most := n.Min + rng.IntN(4)
		if n.Max >= 0 {
			most = min(n.Max, most)
			if rng.IntN(4) == 0 && n.Max < 3000 {
				most = n.Max
			}
		}
		var b strings.Builder
		for range most {
			if b.Len() > 3000 {
				break
			}
			b.WriteString(sample(n.Subs[0], rng))
		}
		return b.String()
	case syntax.Look:
		if rng.IntN(4) == 0 {
			return sample(n.Subs[0], rng)
		}
	case syntax.Begin, syntax.End, syntax.Word, syntax.Flags, syntax.Reference:
	}
	return ""
}

// unassigned characters may have properties in the engine's version of Unicode.
func unassigned(r rune) bool {
	return !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co)
}

var table = strings.Split(strings.TrimSpace(`
^(?!foo)bar$
^(?!foo)[a-z]+$
^(?!.*\.\.)(?!.*\.$)[^\W][\w.]{0,29}$
^(?=.*[A-Z])(?=.*\d).{8,}$
^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^\w\s])\S{8,64}$
^(?=.{1,20}$)(?!-)[a-z0-9-]+(?<!-)$
^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$
^((?!-)[A-Za-z0-9-]{1,63}(?<!-)\.)+[A-Za-z]{2,6}$
^[a-z\d](?:[a-z\d]|-(?=[a-z\d])){0,38}$
^(?:(?!foo).)*$
^(?:(?!ab)[a-c])+$
^x(?:(?!foo)[^;])*y$
^(?:.(?<!foo))*$
^(?:(?!foo|bar).)*$
^(?!(?:con|prn|aux|nul)$)[a-z]+$
^(?!(?:con|prn|aux|nul)(?:\.|$))[a-z.]+$
^(?:(?!a)[a-z]+|\d+)$
^(?:(?=a)[a-z]+|(?!0)\d+)$
(?!foo)bar
(?=foo)f
(?=fo)[a-z]{3}
foo(?=bar)
foo(?!bar)
foo(?!bar|baz)
(?!a)[^\n]c
\p{Any}\P{Any}?
[\P{Any}a]
foo(?!bar|ba$)
foo(?!$)
foo(?=$)
foo(?=bar)(?=ba)
foo(?=b)(?!ba)
(?<=foo)bar
(?<!foo)bar
(?<!foo|fa)bar
(?<!^)bar
(?<=^)bar
(?<!a)b(?!c)
(?<=a)b(?=c)
(?<![\w])b+(?![\w])
\b(?!foo)\w+\b
^(?!foo)
^(?=foo)
(?!foo)$
(?<!foo)$
(?<=foo)$
^(?<=a)b
^(?!(?!foo)...)f
^(?=(?!foo)...)[a-z]+
^(?!(?=foo)..)f
^.{3}(?=bar)
^...(?!bar)...$
^[a-z]{3}(?<!foo)[a-z]$
^[a-z]{3}(?<=foo|oo)[a-z]+$
^[a-z]+(?=foo$)foo$
^[a-z]*(?!foo)[a-z]{3}$
[a-z](?![aeiou])[a-z]
(?:(?![aeiou])[a-z]){2,}
^(?:(?!a)\w){2}(?!b)\w$
(?!a)
(?=a)
(?!)
(?=)
(?!a*)
(?=a*)
^(?=a)(?!ab)(?=.{3}$).*$
^(a(?=b)|b(?!b))+$
^(a(?!$)|b)+$
^(?:[^-]|-(?!-))*$
^(?:-(?=b)|[a-c])*$
^(?:-(?=[ab]+$)|[a-c])*$
^(?:-(?![ab]*c)|[a-c])*$
^(?:(?<=a)-|[a-c])*$
^(?:(?<![bc])-|[a-c])*$
^(?!.*--)(?!.*-$)[a-z][a-z-]*$
^(?!0+$)\d{3,5}$
^(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}$
^(?![-.])(?!.*[-.]{2})[\w.-]+(?<![-.])$
^((?!foo)a)?b$
^(?:(?!foo)a?){0,2}$
^(?!\s*$).+
^(?!\s).*(?<!\s)$
^(?!.*[\r\n])
^(?:(?!\d+$).+)$
^(?!https?:\/\/)[^\s]+$
^(?=[^@]{1,8}@)[^@]+@[^@]+$
^[^\s@]+@(?!example\.com$)[^\s@]+$
^\/(?!.*\/\/)(?:[a-z\/]*[a-z])?$
^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$
^(?=\D*\d)[a-z\d]+$
^[A-Z](?![A-Z]*$)[A-Za-z]+$
^(?:a(?!b.*c))*$
a.*(?=b.*c).*d
a{2000}
^a{1500,}$
^a{3,1500}$
^a{1,2500}$
^(?:a{1,60}-){1,40}$
^(?:[a-c]{1000}){2}$
^[ab]{0,1001}$
^(?:ab|c){1000,1001}$
a{0}b
a{0,0}b
a{1}b{1,1}c{0,1}
a{1,}b{0,}
\d+
^\D+$
^\w+$
^\W+$
^\s+$
^\S+$
^[\s\d]+$
^[\S]+$
^[^\S]+$
^[^\s]+$
^[\S\n]+$
^[\w-]+$
^[\w-.]+$
^[+--]+$
^[!-\-]+$
^[\D5]+$
^[\W_]+$
^[^\W_]+$
\bfoo\b
\Bo\B
^[\b]$
[^]
[]
^[^]$
^[]$
[[]
[[:alpha:]]
[\]]
[\^a]
[a^]
[-]
[a\-z]
\cJ
[\cJ]
\x41\u0042\u{43}
^\u{1F600}$
^[\u{1F600}-\u{1F64F}]+$
^\ud83d\ude00$
^[\ud83d\ude00-\ud83d\ude4f]+$
^[\ud800-\udfff]$
^[^\ud800-\udfff]$
^[\ud800-\uffff]$
\ud800
^\u2028$
^.$
^..$
^.*$
a$
^a
a$|^b
$^
^$
a|
|a
()
(?:)
(a|)(|b)
(?<x>a)(?<y>b)
(?<$a1>x)
\0
[\0]
^\p{L}+$
^\p{Letter}+$
^\p{Lu}\p{Ll}*$
^\p{Uppercase_Letter}+$
^\p{gc=Nd}+$
^\p{General_Category=Decimal_Number}+$
^\P{L}+$
^[\p{L}\p{N}_-]+$
^[^\p{L}]+$
^[\P{L}]+$
^\p{Script=Greek}+$
^\p{sc=Grek}+$
^\p{Script=Latin}+$
^\p{sc=Cyrl}+$
^\P{Script=Han}+$
^\p{Alphabetic}+$
^\p{Alpha}+$
^\p{Lowercase}+$
^\p{Uppercase}+$
^\p{White_Space}+$
^\p{ASCII}+$
^\P{ASCII}+$
^\p{Any}+$
^\p{ASCII_Hex_Digit}+$
^\p{AHex}+$
^\p{Hex_Digit}+$
^\p{ID_Start}\p{ID_Continue}*$
^\p{IDS}\p{IDC}*$
^\p{Math}+$
^\p{Dash}+$
^\p{Punctuation}+$
^\p{P}+$
^\p{Sc}+$
^\p{Currency_Symbol}+$
^\p{LC}+$
^\p{Cased_Letter}+$
^\p{Ideographic}+$
^[\p{Lowercase}\d]+$
^[\P{White_Space}]+$
\/\.\*\+\?\(\)\[\]\{\}\\\^\$\|
\-\_\@\"\'\ \<\>\%\&\#\!\:\;\,\=
^\$\{[a-z]+\}$
^{[a-z]+}$
a{,5}
a{b
a{1
x{2}y{1,2}?
^[a-z]+?$
^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$
^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?$
^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$
^(?:[A-Z0-9]{8}(?!-$)-?)+$
(?=.*[A-Z])(?=.*[0-9]).{4,}
^.{1,65535}$
^[a-z ]{3,70000}$
^(?:(?!--)[a-z-]+,?){1,3}(?<=[a-c])(?=$|,)
(?i)^(?=a.*B)[a-c]+$
(?<=^(?:ab)*)c(?!.*d)
`), "\n")

// Patterns mean in Go what they mean in an engine of ECMA-262.
func TestEngine(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	texts, longest := 60, 6000
	if testing.Short() {
		texts, longest = 20, 200
	}
	var questions []question
	for _, pattern := range table {
		questions = append(questions, question{pattern, textsFor(pattern, rng, texts, longest)})
	}
	compared, unchecked, pairs := compare(t, questions)
	t.Logf("%d patterns of %d compared, %d not translated, %d texts", compared, len(table), unchecked, pairs)
	if unchecked > 0 {
		for _, pattern := range table {
			if _, err := Translate(pattern); err != nil {
				t.Errorf("%s: %v", pattern, err)
			}
		}
	}
}

// So do random patterns, most of them with look-arounds.
func TestRandomPatterns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it plays many random patterns")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var questions []question
	for range 800 {
		pattern := randomPattern(rng, 3)
		if rng.IntN(2) == 0 {
			pattern = "^" + pattern
		}
		if rng.IntN(2) == 0 {
			pattern += "$"
		}
		texts := textsFor(pattern, rng, 20, 12)
		for range 30 {
			var b strings.Builder
			for range rng.IntN(8) {
				b.WriteByte("abc-"[rng.IntN(4)])
			}
			texts = append(texts, b.String())
		}
		questions = append(questions, question{pattern, texts})
	}
	compared, unchecked, pairs := compare(t, questions)
	t.Logf("%d patterns compared, %d not translated, %d texts", compared, unchecked, pairs)
	if compared < len(questions) {
		t.Errorf("only %d patterns of %d compared", compared, len(questions))
	}
}

func randomPattern(rng *rand.Rand, depth int) string {
	var b strings.Builder
	for range 1 + rng.IntN(3) {
		b.WriteString(randomPart(rng, depth))
	}
	if rng.IntN(6) == 0 {
		return b.String() + "|" + randomPart(rng, depth)
	}
	return b.String()
}

func randomPart(rng *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "c", "-", "[ab]", "[^a]", "[a-c]", "[bc-]", ".", `\w`, "ab"}
	if depth == 0 {
		return atoms[rng.IntN(len(atoms))]
	}
	switch n := rng.IntN(12); {
	case n < 4:
		return atoms[rng.IntN(len(atoms))]
	case n < 7:
		return []string{"(?=", "(?!", "(?!", "(?<=", "(?<!", "(?<!"}[rng.IntN(6)] + randomPattern(rng, depth-1) + ")"
	case n < 10:
		quantifiers := []string{"*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}"}
		return "(?:" + randomPattern(rng, depth-1) + ")" + quantifiers[rng.IntN(len(quantifiers))]
	case n < 11:
		return "(" + randomPattern(rng, depth-1) + "|" + randomPattern(rng, depth-1) + ")"
	default:
		return []string{"^", "$", `\b`, `\B`, ".*", "[ab]*", "a+"}[rng.IntN(7)]
	}
}

// What a pattern with back references matches, its loose translation matches too.
func TestRandomBackReferences(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it plays many random patterns")
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var questions []question
	var loose []*Matcher
	for len(loose) < 300 {
		pattern := "^(" + randomPattern(rng, 1) + ")(?:" + randomPattern(rng, 2) + `\1|` + randomPattern(rng, 1) + `)*` + randomPattern(rng, 1) + `\1$`
		if p, ok := Loosely(pattern); ok {
			loose = append(loose, p.Matcher())
			var texts []string
			for range 60 {
				var b strings.Builder
				for range rng.IntN(9) {
					b.WriteByte("abc-"[rng.IntN(4)])
				}
				texts = append(texts, b.String(), b.String()+b.String())
			}
			questions = append(questions, question{pattern, texts})
		}
	}
	found := 0
	for i, a := range ask(t, questions) {
		for k, text := range questions[i].Texts {
			if a.Found == nil || a.Found[k] == nil || !*a.Found[k] {
				continue
			}
			found++
			if !loose[i].MatchString(text) {
				t.Errorf("%s in %q: not found", questions[i].Pattern, text)
			}
		}
	}
	if found < 300 {
		t.Errorf("only %d texts have their pattern", found)
	}
}

// No pattern makes Translate panic, and what it returns compiles.
func FuzzTranslate(f *testing.F) {
	for _, pattern := range table {
		f.Add(pattern, "abc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 {
			t.Skip()
		}
		if p, ok := Loosely(pattern); ok {
			p.Matcher()
		}
		p, err := Translate(pattern)
		if err != nil {
			return
		}
		m := p.Matcher()
		if len(text) < 200 && utf8.ValidString(text) {
			m.MatchString(text)
		}
		if again, err := Translate(pattern); err != nil || again.String() != p.String() {
			t.Fatalf("%q becomes %s, then %s %v", pattern, p, again, err)
		}
		_ = fmt.Sprint(p)
	})
}
