package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/ecma/syntax"
)

var names = map[syntax.Op]string{
	syntax.Set: "set", syntax.Begin: "begin", syntax.End: "end", syntax.Word: "word", syntax.Reference: "reference", syntax.Flags: "flags",
	syntax.Sequence: "seq", syntax.Alternatives: "alt", syntax.Group: "group", syntax.Repeat: "repeat", syntax.Look: "look",
}

// printed returns a tree in one line: what each node is, where it stands, and what it
// says.
func printed(n *syntax.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s[%d:%d]", names[n.Op], n.Pos, n.End)
	for i, is := range []bool{n.Lazy, n.Behind, n.Not, n.Fold} {
		if is {
			b.WriteString([]string{" lazy", " behind", " not", " fold"}[i])
		}
	}
	switch {
	case n.Op == syntax.Repeat:
		fmt.Fprintf(&b, " %d..%d", n.Min, n.Max)
	case n.Op == syntax.Reference:
		fmt.Fprintf(&b, " %d", n.Index)
	case n.Text != "":
		b.WriteString(" " + n.Text)
	}
	if n.Subs == nil {
		return b.String()
	}
	var subs []string
	for _, sub := range n.Subs {
		subs = append(subs, printed(sub))
	}
	return b.String() + "(" + strings.Join(subs, ", ") + ")"
}

// The tree of a pattern.
func TestParse(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		``:                "seq[0:0]",
		`^é$`:             "seq[0:4](begin[0:1], set[1:3] é, end[3:4])",
		`a|(?:)|[^b]`:     `alt[0:11](seq[0:1](set[0:1] a), seq[2:6](group[2:6] (?:(seq[5:5])), seq[7:11](set[7:11] [^b]))`,
		`(?<x>\b)+\B`:     `seq[0:11](repeat[0:9] 1..-1(group[0:8] ((seq[5:7](word[5:7] \b))), word[9:11] not \B)`,
		`a{2,}?b{3}c{,1}`: `seq[0:15](repeat[0:6] lazy 2..-1(set[0:1] a), repeat[6:10] 3..3(set[6:7] b), set[10:11] c, set[11:12] \{, set[12:13] ,, set[13:14] 1, set[14:15] })`,
		`(?=a)+(?<!b)`:    "seq[0:12](look[0:6](seq[3:4](set[3:4] a)), look[6:12] behind not(seq[10:11](set[10:11] b)))",
		`(?!a)?b`:         "seq[0:7](seq[0:6], set[6:7] b)",
		`(?i)a(?-i:.)`:    `seq[0:12](flags[0:4] (?i), set[4:5] fold a, group[5:12] (?-i:(seq[10:11](set[10:11] [^\n\r\x{2028}\x{2029}])))`,
		`\k<a>(?<a>\1\2)`: `seq[0:15](reference[0:5] 0, group[5:15] ((seq[10:14](reference[10:12] 0, reference[12:14] 1)))`,
		`\A\d\z`:          `seq[0:6](begin[0:2], set[2:4] \d, end[4:6])`,
	} {
		tree, err := syntax.Parse(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		if diff := cmp.Diff(want, printed(tree.Root)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}

// What Parse accepts and ECMA-262 with the flag u does not, and why.
func TestCheck(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		`a\-b`:              `the escape \-, which ECMA-262 does not have, at offset 1`,
		`\_`:                `the escape \_, which ECMA-262 does not have, at offset 0`,
		`a{`:                "a { without a backslash, at offset 1",
		`a]`:                "a ] without a backslash, at offset 1",
		`a}`:                "a } without a backslash, at offset 1",
		`x[\w-.]`:           `the range \w-. of more than characters, at offset 2`,
		`(?=a)*`:            "there is nothing for * to repeat, at offset 5",
		`^*`:                "there is nothing for * to repeat, at offset 1",
		`\b{2}`:             "there is nothing for {2} to repeat, at offset 2",
		`(?<a>b)|(?<a>c)`:   "two groups of the name a, at offset 8",
		`\A`:                `the escape \A, which ECMA-262 does not have, at offset 0`,
		`\z`:                `the escape \z, which ECMA-262 does not have, at offset 0`,
		`(?P<a>b)`:          "a group (?P, which ECMA-262 does not have, at offset 0",
		`(?i)a`:             "a group (?i, which ECMA-262 does not have, at offset 0",
		`(?s:a)`:            "a group (?s, which ECMA-262 does not have, at offset 0",
		`\p{Greek}`:         `the property \p{Greek}, at offset 0`,
		`(a)\2`:             "a back reference to a group that is not there, at offset 3",
		`\k<b>(?<a>x)`:      "a back reference to a group that is not there, at offset 0",
		`(?<\u{61}>b)\k<a>`: "",
		`[\-]\/`:            "",
	} {
		if _, err := syntax.Parse(pattern); err != nil {
			t.Errorf("Parse(%s): %v", pattern, err)
		}
		got := ""
		if err := syntax.Check(pattern); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pattern, diff)
		}
	}
}
