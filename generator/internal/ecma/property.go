package ecma

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// property reads the rest of \p{…} or \P{…}.
func (p *parser) property(start int, negated bool) (character, error) {
	inside, _, closed := strings.Cut(p.rest(), "}")
	if !strings.HasPrefix(inside, "{") || !closed {
		return character{}, p.lacks(start, `\p without a property in braces`)
	}
	p.pos += len(inside) + 1
	name := inside[1:]
	letter := "p"
	if negated {
		letter = "P"
	}
	if known := goProperty(name); known != "" {
		text := `\` + letter + "{" + known + "}"
		return character{text: text, class: text}, nil
	}
	ranges := binaryProperty(name)
	if ranges == nil {
		return character{}, p.lacks(start, `the property \`+letter+"{"+name+"}")
	}
	if negated {
		ranges = complement(ranges)
	}
	return character{class: classOf(ranges)}, nil
}

// goProperty is what Go calls a general category or a script, "" where it has
// none. Scripts need their key, as in ECMA-262; other dialects leave it out.
func goProperty(name string) string {
	key, value, keyed := strings.Cut(name, "=")
	if !keyed {
		value = name
	}
	if !keyed || key == "General_Category" || key == "gc" {
		if unicode.Categories[value] != nil {
			return value
		}
		if short := unicode.CategoryAliases[value]; short != "" {
			return short
		}
		if !keyed && unicode.Scripts[value] != nil {
			return value
		}
		return ""
	}
	if key != "Script" && key != "sc" {
		return ""
	}
	return ecma.Script(value)
}

// derived are the properties that Unicode derives from others.
var derived = map[string][]string{
	"Alphabetic":  {"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Other_Alphabetic"},
	"Lowercase":   {"Ll", "Other_Lowercase"},
	"Uppercase":   {"Lu", "Other_Uppercase"},
	"Math":        {"Sm", "Other_Math"},
	"ID_Start":    {"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Other_ID_Start", "!Pattern_Syntax", "!Pattern_White_Space"},
	"ID_Continue": {"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Other_ID_Start", "Mn", "Mc", "Nd", "Pc", "Other_ID_Continue", "!Pattern_Syntax", "!Pattern_White_Space"},
}

// shortProperties are short names of properties.
var shortProperties = map[string]string{
	"Alpha": "Alphabetic", "Lower": "Lowercase", "Upper": "Uppercase", "IDS": "ID_Start", "IDC": "ID_Continue",
	"AHex": "ASCII_Hex_Digit", "Hex": "Hex_Digit", "space": "White_Space", "Dia": "Diacritic", "Ext": "Extender",
	"Ideo": "Ideographic", "Join_C": "Join_Control", "Pat_Syn": "Pattern_Syntax", "Pat_WS": "Pattern_White_Space",
	"QMark": "Quotation_Mark", "RI": "Regional_Indicator", "SD": "Soft_Dotted", "STerm": "Sentence_Terminal",
	"Term": "Terminal_Punctuation", "UIdeo": "Unified_Ideograph", "VS": "Variation_Selector", "NChar": "Noncharacter_Code_Point",
}

// notInECMA are properties that Go has and ECMA-262 has not.
var notInECMA = []string{"Hyphen", "Prepended_Concatenation_Mark"}

// binaryProperty is the characters that have a property, nil for one that is not
// known.
func binaryProperty(name string) []rune {
	switch name {
	case "Any":
		return []rune{0, unicode.MaxRune}
	case "ASCII":
		return []rune{0, unicode.MaxASCII}
	case "Assigned":
		return complement(rangesOf(`\p{Cn}`))
	}
	if long := shortProperties[name]; long != "" {
		name = long
	}
	if parts := derived[name]; parts != nil {
		return combine(parts)
	}
	if strings.HasPrefix(name, "Other_") || slices.Contains(notInECMA, name) || unicode.Properties[name] == nil {
		return nil
	}
	return combine([]string{name})
}

// combine is the characters of some tables, without those of the tables with
// a !.
func combine(parts []string) []rune {
	var pairs [][2]rune
	var removed [][2]rune
	for _, part := range parts {
		part, remove := strings.CutPrefix(part, "!")
		table := unicode.Categories[part]
		if table == nil {
			table = unicode.Properties[part]
		}
		if remove {
			removed = append(removed, pairsOf(table)...)
		} else {
			pairs = append(pairs, pairsOf(table)...)
		}
	}
	return without(merge(pairs), merge(removed))
}

// pairsOf is the ranges of a table.
func pairsOf(table *unicode.RangeTable) [][2]rune {
	var pairs [][2]rune
	add := func(low, high, stride rune) {
		if stride == 1 {
			pairs = append(pairs, [2]rune{low, high})
			return
		}
		for r := low; r <= high; r += stride {
			pairs = append(pairs, [2]rune{r, r})
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return pairs
}

// merge is ranges in order, those that touch as one.
func merge(pairs [][2]rune) []rune {
	slices.SortFunc(pairs, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	var ranges []rune
	for _, pair := range pairs {
		if n := len(ranges); n > 0 && pair[0] <= ranges[n-1]+1 {
			ranges[n-1] = max(ranges[n-1], pair[1])
		} else {
			ranges = append(ranges, pair[0], pair[1])
		}
	}
	return ranges
}

func hexRune(r rune) string { return fmt.Sprintf(`\x{%x}`, r) }
