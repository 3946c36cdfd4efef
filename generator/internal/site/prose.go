package site

import (
	"bytes"
	"errors"
	"html"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	markdown "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// prose is a description.
type prose struct {
	HTML template.HTML
	// Texts are its parts, such as paragraphs, as plain text on one line each.
	Texts []string
	// Lead is the text of the first paragraph, or of the first part if there is none.
	Lead string
}

// commonMark reads descriptions: CommonMark, with tables. HTML in a description is text:
// its parsers are missing. So all tags of a page are from us or from package goldmark.
var commonMark = goldmark.New(
	goldmark.WithParser(parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 100),
			util.Prioritized(parser.NewLinkParser(), 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewEmphasisParser(), 500),
		),
		parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
	)),
	goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignNone))),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(safe{}, 1))),
)

// longestProse is the longest description that is read as CommonMark, in bytes. A longer
// one is shown as it is: some texts take time that grows with the square of their length.
const longestProse = 32 << 10

// proseOf reads a description.
func proseOf(description string) prose {
	description = strings.ReplaceAll(description, "\r\n", "\n")
	if len(description) > longestProse {
		return plainText(description)
	}
	source := []byte(description)
	document := commonMark.Parser().Parse(markdown.NewReader(source))
	var p prose
	var all strings.Builder
	for part := document.FirstChild(); part != nil; part = part.NextSibling() {
		var out bytes.Buffer
		_ = commonMark.Renderer().Render(&out, source, part) // writing to memory does not fail
		all.Write(out.Bytes())
		line := html.UnescapeString(tag.ReplaceAllStringFunc(out.String(), func(tag string) string {
			if withinWord.MatchString(tag) {
				return ""
			}
			return " "
		}))
		if line = onOneLine(line); line == "" {
			continue
		}
		p.Texts = append(p.Texts, line)
		if p.Lead == "" && part.Kind() == ast.KindParagraph {
			p.Lead = line
		}
	}
	p.HTML = template.HTML(all.String()) // see commonMark and safe
	if p.Lead == "" && len(p.Texts) > 0 {
		p.Lead = p.Texts[0]
	}
	return p
}

// plainText returns a description as it is, in paragraphs.
func plainText(description string) (p prose) {
	var all strings.Builder
	for part := range strings.SplitSeq(description, "\n\n") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		all.WriteString("<p>" + html.EscapeString(part) + "</p>\n")
		p.Texts = append(p.Texts, onOneLine(part))
	}
	if p.HTML = template.HTML(all.String()); len(p.Texts) > 0 { // it is escaped
		p.Lead = p.Texts[0]
	}
	return p
}

// The tags in what commonMark writes, and those that may be in the middle of a word.
var (
	tag        = regexp.MustCompile(`<[^>]*>`)
	withinWord = regexp.MustCompile(`^</?(a|code|em|strong)[ >]`)
)

func onOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// safe writes what package goldmark would write in another way. A heading is a bold
// paragraph, because the page has its own headings. An image is a link, because a page
// fetches nothing from elsewhere. A link that leads to no web page or mail address is
// text.
type safe struct{}

func (safe) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, func(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, write(w, entering, "<p><strong>", "</strong></p>\n")
	})
	r.Register(ast.KindLink, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		link, _ := n.(*ast.Link)
		return ast.WalkContinue, writeLink(w, source, entering, n, link.Destination)
	})
	r.Register(ast.KindImage, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		image, _ := n.(*ast.Image)
		return ast.WalkContinue, writeLink(w, source, entering, n, image.Destination)
	})
	r.Register(ast.KindAutoLink, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		link, _ := n.(*ast.AutoLink)
		to := link.URL(source)
		if link.AutoLinkType == ast.AutoLinkEmail {
			to = append([]byte("mailto:"), to...)
		}
		before := writeLink(w, source, true, n, to)
		_, err := w.Write(util.EscapeHTML(link.Label(source)))
		return ast.WalkContinue, errors.Join(before, err, writeLink(w, source, false, n, to))
	})
}

// write writes what is before or after the content of a part.
func write(w util.BufWriter, entering bool, before, after string) error {
	if !entering {
		before = after
	}
	_, err := w.WriteString(before)
	return err
}

// writeLink writes the begin or the end of the link n, unless it is in another one. A link
// without a text has its address as text, so that people can see and follow it.
func writeLink(w util.BufWriter, source []byte, entering bool, n ast.Node, destination []byte) error {
	for around := n.Parent(); around != nil; around = around.Parent() {
		if around.Kind() == ast.KindLink || around.Kind() == ast.KindImage {
			return nil
		}
	}
	const resolve = true // entities and escapes, which could hide a scheme
	address := util.URLEscape(destination, resolve)
	if !isElsewhere(address) {
		return nil
	}
	shown := string(util.EscapeHTML(address))
	begin := `<a href="` + shown + `" rel="noreferrer">`
	if !hasText(n, source) {
		begin += shown
	}
	return write(w, entering, begin, "</a>")
}

// hasText reports whether people see something of a link.
func hasText(n ast.Node, source []byte) bool {
	if text, ok := n.(*ast.Text); ok {
		return len(bytes.TrimSpace(text.Value(source))) > 0
	}
	for inner := n.FirstChild(); inner != nil; inner = inner.NextSibling() {
		if hasText(inner, source) {
			return true
		}
	}
	return n.Kind() == ast.KindAutoLink
}

// isElsewhere reports whether an address is that of a web page or of a mailbox.
func isElsewhere(address []byte) bool {
	to, err := url.Parse(string(address))
	return err == nil && slices.Contains([]string{"http", "https", "mailto"}, to.Scheme)
}
