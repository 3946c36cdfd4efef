package syntax

import (
	"strings"
	"unicode"
)

// property reads the rest of \p{…} or \P{…}.
func (p *parser) property(start int, negated bool) (character, error) {
	inside, _, closed := strings.Cut(p.rest(), "}")
	name, braced := strings.CutPrefix(inside, "{")
	if !braced || !closed {
		return character{}, lacks(start, `\p without a property in braces`)
	}
	p.pos += len(inside) + 1
	letter := "p"
	if negated {
		letter = "P"
	}
	if p.strict && isProperty(name) {
		return character{set: `\` + letter}, nil // no tree is kept, and some of them are long
	}
	if known := goProperty(name); known != "" && !p.strict {
		text := `\` + letter + "{" + known + "}"
		return character{text: text, set: text}, nil
	}
	set := binaryProperty(name)
	if set == "" || p.strict {
		return character{}, lacks(start, `the property \`+letter+"{"+name+"}")
	}
	if negated {
		set = "^" + set
	}
	if set = classOf(Ranges("["+set+"]", false)); set == "" {
		set = `\x{d800}` // no text contains an unpaired surrogate
	}
	return character{set: set}, nil
}

// isProperty reports whether ECMA-262 has the Unicode property of \p{…}.
func isProperty(name string) bool {
	key, value, keyed := strings.Cut(name, "=")
	switch {
	case !keyed:
		return isBinary(name) || category(name) != ""
	case key == "General_Category", key == "gc":
		return category(value) != ""
	case key == "Script", key == "sc", key == "Script_Extensions", key == "scx":
		return script(value) != "" || value == "Zzzz" || value == "Unknown"
	}
	return false
}

// goProperty returns Go's name of a general category or a script, or "". Scripts need
// their key, as in ECMA-262; other dialects omit it.
func goProperty(name string) string {
	key, value, keyed := strings.Cut(name, "=")
	switch {
	case !keyed && unicode.Scripts[name] != nil:
		return name
	case !keyed:
		return category(name)
	case key == "General_Category", key == "gc":
		return category(value)
	case key == "Script", key == "sc":
		return script(value)
	}
	return ""
}

// category returns the name of a general category in package unicode, or "".
func category(name string) string {
	if unicode.Categories[name] != nil {
		return name
	}
	return unicode.CategoryAliases[name]
}

// isBinary reports whether there is a property of one word.
func isBinary(name string) bool {
	return strings.Contains(binaryProperties, " "+name+" ") && name != "" && !strings.Contains(name, " ")
}

// script returns the name of a script in package unicode, from a name or a code of four
// letters; "" if there is none.
func script(name string) string {
	if long := scriptCodes[name]; long != "" {
		name = long
	}
	if unicode.Scripts[name] == nil {
		return ""
	}
	return name
}

// derived are the properties that Unicode derives from others.
var derived = map[string][]string{
	"Alphabetic":  {"L", "Nl", "Other_Alphabetic"},
	"Lowercase":   {"Ll", "Other_Lowercase"},
	"Uppercase":   {"Lu", "Other_Uppercase"},
	"Math":        {"Sm", "Other_Math"},
	"ID_Start":    {"L", "Nl", "Other_ID_Start"},
	"ID_Continue": {"L", "Nl", "Other_ID_Start", "Mn", "Mc", "Nd", "Pc", "Other_ID_Continue"},
}

// shortProperties are short names of properties.
var shortProperties = map[string]string{
	"Alpha": "Alphabetic", "Lower": "Lowercase", "Upper": "Uppercase", "IDS": "ID_Start", "IDC": "ID_Continue",
	"AHex": "ASCII_Hex_Digit", "Hex": "Hex_Digit", "space": "White_Space", "Dia": "Diacritic", "Ext": "Extender",
	"Ideo": "Ideographic", "Join_C": "Join_Control", "Pat_Syn": "Pattern_Syntax", "Pat_WS": "Pattern_White_Space",
	"QMark": "Quotation_Mark", "RI": "Regional_Indicator", "SD": "Soft_Dotted", "STerm": "Sentence_Terminal",
	"Term": "Terminal_Punctuation", "UIdeo": "Unified_Ideograph", "VS": "Variation_Selector", "NChar": "Noncharacter_Code_Point",
}

// binaryProperty returns the characters with a property, for a class; "" if package
// unicode does not have it.
func binaryProperty(name string) string {
	switch name {
	case "Any":
		return `\x00-\x{10FFFF}`
	case "ASCII":
		return `\x00-\x7f`
	case "Assigned":
		return `\P{Cn}`
	}
	if !isBinary(name) {
		return ""
	}
	if long := shortProperties[name]; long != "" {
		name = long
	}
	if parts := derived[name]; parts != nil {
		set := tables(parts...)
		if strings.HasPrefix(name, "ID_") {
			outside := classOf(Ranges("[^"+set+"]", false))
			set = "^" + outside + tables("Pattern_Syntax", "Pattern_White_Space")
			return classOf(Ranges("["+set+"]", false))
		}
		return set
	}
	if unicode.Properties[name] == nil {
		return ""
	}
	return tables(name)
}

// tables returns the characters of some tables of package unicode, for a class.
func tables(names ...string) string {
	var ranges []rune
	add := func(low, high, stride rune) {
		if stride == 1 {
			ranges = append(ranges, low, high)
			return
		}
		for r := low; r <= high; r += stride {
			ranges = append(ranges, r, r)
		}
	}
	for _, name := range names {
		table := unicode.Categories[name]
		if table == nil {
			table = unicode.Properties[name]
		}
		for _, r := range table.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range table.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	return classOf(ranges)
}

// binaryProperties are the properties of one word, and their short names.
const binaryProperties = " ASCII ASCII_Hex_Digit AHex Alphabetic Alpha Any Assigned Bidi_Control Bidi_C Bidi_Mirrored Bidi_M" +
	" Case_Ignorable CI Cased Changes_When_Casefolded CWCF Changes_When_Casemapped CWCM Changes_When_Lowercased CWL" +
	" Changes_When_NFKC_Casefolded CWKCF Changes_When_Titlecased CWT Changes_When_Uppercased CWU Dash Default_Ignorable_Code_Point DI" +
	" Deprecated Dep Diacritic Dia Emoji Emoji_Component EComp Emoji_Modifier EMod Emoji_Modifier_Base EBase Emoji_Presentation EPres" +
	" Extended_Pictographic ExtPict Extender Ext Grapheme_Base Gr_Base Grapheme_Extend Gr_Ext Hex_Digit Hex IDS_Binary_Operator IDSB" +
	" IDS_Trinary_Operator IDST ID_Continue IDC ID_Start IDS Ideographic Ideo Join_Control Join_C Logical_Order_Exception LOE" +
	" Lowercase Lower Math Noncharacter_Code_Point NChar Pattern_Syntax Pat_Syn Pattern_White_Space Pat_WS Quotation_Mark QMark" +
	" Radical Regional_Indicator RI Sentence_Terminal STerm Soft_Dotted SD Terminal_Punctuation Term Unified_Ideograph UIdeo" +
	" Uppercase Upper Variation_Selector VS White_Space space XID_Continue XIDC XID_Start XIDS "

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
