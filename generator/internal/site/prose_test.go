package site

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Descriptions are CommonMark. No text of one becomes a tag, an attribute, or a link that
// runs something.
func TestProse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, html string }{
		"nothing":    {" \n", ""},
		"paragraphs": {" One\r\nline. \n\n\n\nTwo.\n", "<p>One\nline.</p>\n<p>Two.</p>\n"},
		"words":      {"a **b** _c_ `d<e` snake_case_name", "<p>a <strong>b</strong> <em>c</em> <code>d&lt;e</code> snake_case_name</p>\n"},
		"lists":      {"- a\n- b\n\n1. c", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<ol>\n<li>c</li>\n</ol>\n"},
		"heading":    {"# Big <b>\n\nSmall\n---", "<p><strong>Big &lt;b&gt;</strong></p>\n<p><strong>Small</strong></p>\n"},
		"quote":      {"> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"},
		"table":      {"| a | b |\n|:--|--:|\n| 1 | 2 |", "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n"},
		"code":       {"```json\" onload=\"x\n</code><script>\n```\n\n    </pre>", "<pre><code class=\"language-json&quot;\">&lt;/code&gt;&lt;script&gt;\n</code></pre>\n<pre><code>&lt;/pre&gt;\n</code></pre>\n"},
		"html":       {"<script>alert(1)</script>\n\na <b onclick=x>b</b> <!-- c --> <order id>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n<p>a &lt;b onclick=x&gt;b&lt;/b&gt; &lt;!-- c --&gt; &lt;order id&gt;</p>\n"},
		"entities":   {"&lt;i&gt; &amp; &copy; \\*", "<p>&lt;i&gt; &amp; © *</p>\n"},
		"link": {
			"[a](https://x.example/?a=1&b=\"2 \"t\") <https://y.example> <me@z.example> [c](mailto:me@z.example)",
			"<p><a href=\"https://x.example/?a=1&amp;b=%222\" rel=\"noreferrer\">a</a> <a href=\"https://y.example\" rel=\"noreferrer\">https://y.example</a> " +
				"<a href=\"mailto:me@z.example\" rel=\"noreferrer\">me@z.example</a> <a href=\"mailto:me@z.example\" rel=\"noreferrer\">c</a></p>\n",
		},
		"quotes in an address": {"[a](https://x.example/\"onclick='b' \"t\")", "<p><a href=\"https://x.example/%22onclick='b'\" rel=\"noreferrer\">a</a></p>\n"},
		"address in brackets":  {"[a](<https://x.example/\"> \"t\\\" onclick=x\")", "<p><a href=\"https://x.example/%22\" rel=\"noreferrer\">a</a></p>\n"},
		"unsafe links": {
			"[a](javascript:x) [b](JAVASCRIPT&colon;x) [c](java&#10;script:x) [d](data:text/html,x) [e](//evil.example) [f](page.html) [g](vbscript\\:x) <javascript:x> [h][i]\n\n[i]: javascript:x",
			"<p>a b c d e f g javascript:x h</p>\n",
		},
		"image":           {"![a **b**](https://x.example/i.png) ![c](data:image/png;base64,AA)", "<p><a href=\"https://x.example/i.png\" rel=\"noreferrer\">a <strong>b</strong></a> c</p>\n"},
		"linked image":    {"[![a](https://x.example/i.png)](https://y.example)", "<p><a href=\"https://y.example\" rel=\"noreferrer\">a</a></p>\n"},
		"links in a link": {"[a <https://x.example> ![b](https://z.example)](https://y.example)", "<p><a href=\"https://y.example\" rel=\"noreferrer\">a https://x.example b</a></p>\n"},
		"no text":         {"![](https://x.example/i.png) [ ](https://x.example/?a&b) [![](i.png)](https://y.example)", "<p><a href=\"https://x.example/i.png\" rel=\"noreferrer\">https://x.example/i.png</a> <a href=\"https://x.example/?a&amp;b\" rel=\"noreferrer\">https://x.example/?a&amp;b </a> <a href=\"https://y.example\" rel=\"noreferrer\">https://y.example</a></p>\n"},
		"very long":       {"\r\n" + strings.Repeat("*", longestProse) + "<a*\r\n\r\n\n b\nc \n", "<p>" + strings.Repeat("*", longestProse) + "&lt;a*</p>\n<p>b\nc</p>\n"},
		"only a break":    {"---", "<hr>\n"},
		"null character":  {"a\x00b", "<p>a\ufffdb</p>\n"},
	} {
		if diff := cmp.Diff(c.html, string(proseOf(c.text).HTML)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The search and the summary have the text of a description without its markup.
func TestProseText(t *testing.T) {
	t.Parallel()
	got := proseOf("# The *order*\n\nIs `a<b` & **plac**ed\nby [us](https://x.example).\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
	want := []string{"The order", "Is a<b & placed by us.", "one two", "a b 1 2"}
	if diff := cmp.Diff(want, got.Texts); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if got.Lead != want[1] {
		t.Errorf("lead %q, want %q", got.Lead, want[1])
	}
	long := strings.Repeat("x ", longestProse)
	if lead := proseOf("\n\nFirst\nline.\n\n" + long).Lead; lead != "First line." {
		t.Errorf("lead of a long description %q", lead)
	}
	if lead := proseOf("# Only\n").Lead; lead != "Only" {
		t.Errorf("lead of a heading %q", lead)
	}
}

// ownTag matches each tag that a description can have.
var ownTag = regexp.MustCompile(`^</?(p|strong|em|code|pre|ul|ol|li|blockquote|table|thead|tbody|tr|th|td|hr|br)>$|^</a>$|` +
	`^<a href="(?i:https?:|mailto:)[^"<>]*" rel="noreferrer">$|^<ol start="[0-9]+">$|^<code class="language-[^"<>]*">$`)

// No text makes another tag.
func FuzzProse(f *testing.F) {
	for _, seed := range []string{"[a](javascript:x)", "![a](x)", "<script>", "```\n</code>", "| a |\n|--|\n", "&lt;script&gt;", "[a]: javascript:x\n\n[a]", "[a](HTTPS://x)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, found := range tag.FindAllString(string(proseOf(text).HTML), -1) {
			if !ownTag.MatchString(found) {
				t.Errorf("%q has the tag %s", text, found)
			}
		}
	})
}
