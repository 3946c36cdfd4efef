package bundle

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML returns a JSON document as YAML, with its members in the same order.
func YAML(document []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(printable(document), &root); err != nil {
		return nil, fmt.Errorf("write the document as YAML: %w", err)
	}
	block(&root)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&root); err != nil {
		return nil, fmt.Errorf("write the document as YAML: %w", err)
	}
	if err := e.Close(); err != nil {
		return nil, fmt.Errorf("write the document as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// printable escapes the characters in the texts of a JSON document that YAML does not
// allow, or reads as the end of a line.
func printable(document []byte) []byte {
	var out bytes.Buffer
	for _, c := range string(document) {
		if c >= 0x7f && c <= 0x9f || c == '\u2028' || c == '\u2029' || c == '\ufeff' || c == '\ufffe' || c == '\uffff' {
			fmt.Fprintf(&out, `\u%04x`, c)
		} else {
			out.WriteRune(c)
		}
	}
	return out.Bytes()
}

// plainText matches texts that need no quotes in any version of YAML, and plainNot those
// of them that some version reads as another value.
var plainText = regexp.MustCompile(`^[A-Za-z$/][A-Za-z0-9_./+(),;$-]*( [A-Za-z0-9_./+(),;$-]+)*$`)

var plainNot = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}

// exponent matches a number with an exponent. YAML 1.1, which PyYAML reads, takes it for a
// text without a fraction and the sign of the exponent.
var exponent = regexp.MustCompile(`^(-?[0-9]+)([.][0-9]+)?[eE]([+-]?)([0-9]+)$`)

// number returns a number as every version of YAML reads it.
func number(text string) string {
	m := exponent.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	return m[1] + cmp.Or(m[2], ".0") + "e" + cmp.Or(m[3], "+") + m[4]
}

// block sets the style of a node and everything inside it: blocks, and quotes where a
// parser needs them.
func block(n *yaml.Node) {
	text := n.Style&yaml.DoubleQuotedStyle != 0
	n.Style = 0
	if n.Kind == yaml.ScalarNode && text && (!plainText.MatchString(n.Value) || slices.Contains(plainNot, strings.ToLower(n.Value))) {
		n.Style = yaml.DoubleQuotedStyle
	}
	if n.Kind == yaml.ScalarNode && !text {
		n.Value = number(n.Value)
	}
	if (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, inner := range n.Content {
		block(inner)
	}
}
