package bundle

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML returns a JSON document as YAML, with its members in the same order.
func YAML(document []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
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

// plainText matches texts that need no quotes in any version of YAML, and plainNot those
// of them that some version reads as another value.
var plainText = regexp.MustCompile(`^[A-Za-z$/][A-Za-z0-9_./+(),;$-]*( [A-Za-z0-9_./+(),;$-]+)*$`)

var plainNot = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}

// block sets the style of a node and everything inside it: blocks, and quotes where a
// parser needs them.
func block(n *yaml.Node) {
	text := n.Style&yaml.DoubleQuotedStyle != 0
	n.Style = 0
	if n.Kind == yaml.ScalarNode && text && (!plainText.MatchString(n.Value) || slices.Contains(plainNot, strings.ToLower(n.Value))) {
		n.Style = yaml.DoubleQuotedStyle
	}
	if (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && len(n.Content) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, inner := range n.Content {
		block(inner)
	}
}
