package ecma

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
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
	if long := scriptCodes[value]; long != "" {
		value = long
	}
	if unicode.Scripts[value] == nil {
		return ""
	}
	return value
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

// scriptCodes are the scripts by their codes of four letters.
var scriptCodes = map[string]string{
	"Adlm": "Adlam", "Aghb": "Caucasian_Albanian", "Arab": "Arabic", "Armi": "Imperial_Aramaic", "Armn": "Armenian",
	"Avst": "Avestan", "Bali": "Balinese", "Bamu": "Bamum", "Bass": "Bassa_Vah", "Batk": "Batak", "Beng": "Bengali",
	"Bhks": "Bhaiksuki", "Bopo": "Bopomofo", "Brah": "Brahmi", "Brai": "Braille", "Bugi": "Buginese", "Buhd": "Buhid",
	"Cakm": "Chakma", "Cans": "Canadian_Aboriginal", "Cari": "Carian", "Cher": "Cherokee", "Chrs": "Chorasmian", "Copt": "Coptic",
	"Cpmn": "Cypro_Minoan", "Cprt": "Cypriot", "Cyrl": "Cyrillic", "Deva": "Devanagari", "Diak": "Dives_Akuru", "Dogr": "Dogra",
	"Dsrt": "Deseret", "Dupl": "Duployan", "Egyp": "Egyptian_Hieroglyphs", "Elba": "Elbasan", "Elym": "Elymaic", "Ethi": "Ethiopic",
	"Geor": "Georgian", "Glag": "Glagolitic", "Gong": "Gunjala_Gondi", "Gonm": "Masaram_Gondi", "Goth": "Gothic", "Gran": "Grantha",
	"Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi", "Hang": "Hangul", "Hani": "Han", "Hano": "Hanunoo", "Hatr": "Hatran",
	"Hebr": "Hebrew", "Hira": "Hiragana", "Hluw": "Anatolian_Hieroglyphs", "Hmng": "Pahawh_Hmong", "Hmnp": "Nyiakeng_Puachue_Hmong",
	"Hung": "Old_Hungarian", "Ital": "Old_Italic", "Java": "Javanese", "Kali": "Kayah_Li", "Kana": "Katakana", "Khar": "Kharoshthi",
	"Khmr": "Khmer", "Khoj": "Khojki", "Kits": "Khitan_Small_Script", "Knda": "Kannada", "Kthi": "Kaithi", "Lana": "Tai_Tham",
	"Laoo": "Lao", "Latn": "Latin", "Lepc": "Lepcha", "Limb": "Limbu", "Lina": "Linear_A", "Linb": "Linear_B", "Lyci": "Lycian",
	"Lydi": "Lydian", "Mahj": "Mahajani", "Maka": "Makasar", "Mand": "Mandaic", "Mani": "Manichaean", "Marc": "Marchen",
	"Medf": "Medefaidrin", "Mend": "Mende_Kikakui", "Merc": "Meroitic_Cursive", "Mero": "Meroitic_Hieroglyphs", "Mlym": "Malayalam",
	"Mong": "Mongolian", "Mroo": "Mro", "Mtei": "Meetei_Mayek", "Mult": "Multani", "Mymr": "Myanmar", "Nagm": "Nag_Mundari",
	"Nand": "Nandinagari", "Narb": "Old_North_Arabian", "Nbat": "Nabataean", "Nkoo": "Nko", "Nshu": "Nushu", "Ogam": "Ogham",
	"Olck": "Ol_Chiki", "Orkh": "Old_Turkic", "Orya": "Oriya", "Osge": "Osage", "Osma": "Osmanya", "Ougr": "Old_Uyghur",
	"Palm": "Palmyrene", "Pauc": "Pau_Cin_Hau", "Perm": "Old_Permic", "Phag": "Phags_Pa", "Phli": "Inscriptional_Pahlavi",
	"Phlp": "Psalter_Pahlavi", "Phnx": "Phoenician", "Plrd": "Miao", "Prti": "Inscriptional_Parthian", "Qaac": "Coptic",
	"Qaai": "Inherited", "Rjng": "Rejang", "Rohg": "Hanifi_Rohingya", "Runr": "Runic", "Samr": "Samaritan",
	"Sarb": "Old_South_Arabian", "Saur": "Saurashtra", "Sgnw": "SignWriting", "Shaw": "Shavian", "Shrd": "Sharada",
	"Sidd": "Siddham", "Sind": "Khudawadi", "Sinh": "Sinhala", "Sogd": "Sogdian", "Sogo": "Old_Sogdian", "Sora": "Sora_Sompeng",
	"Soyo": "Soyombo", "Sund": "Sundanese", "Sylo": "Syloti_Nagri", "Syrc": "Syriac", "Tagb": "Tagbanwa", "Takr": "Takri",
	"Tale": "Tai_Le", "Talu": "New_Tai_Lue", "Taml": "Tamil", "Tang": "Tangut", "Tavt": "Tai_Viet", "Telu": "Telugu",
	"Tfng": "Tifinagh", "Tglg": "Tagalog", "Thaa": "Thaana", "Tibt": "Tibetan", "Tirh": "Tirhuta", "Tnsa": "Tangsa",
	"Ugar": "Ugaritic", "Vaii": "Vai", "Vith": "Vithkuqi", "Wara": "Warang_Citi", "Wcho": "Wancho", "Xpeo": "Old_Persian",
	"Xsux": "Cuneiform", "Yezi": "Yezidi", "Yiii": "Yi", "Zanb": "Zanabazar_Square", "Zinh": "Inherited", "Zyyy": "Common",
}
