package naming

import (
	"slices"
	"strings"
	"unicode"
)

// singular returns the name for one of several: essay_results gives essay_result, and
// teamMembers teamMember. If the name is not a plural, or its singular is unknown, the
// word otherwise is appended: data gives data_item.
func singular(plural, otherwise string) string {
	start := lastWord(plural)
	word := plural[start:]
	one, ok := singularWord(strings.ToLower(word))
	if !ok {
		return plural + "_" + otherwise
	}
	if first := []rune(word)[0]; unicode.IsUpper(first) {
		one = strings.ToUpper(one[:1]) + one[1:]
	}
	return plural[:start] + one
}

// lastWord returns where the last word of a name begins.
func lastWord(name string) int {
	start := 0
	var before rune
	for i, c := range name {
		switch {
		case !unicode.IsLetter(c):
			start = i + len(string(c))
		case unicode.IsUpper(c) && unicode.IsLower(before):
			start = i
		}
		before = c
	}
	return start
}

// singularWord returns the singular of an English word in lower case, or false if it is
// not a plural. Names in other languages that end in s count as English, as most
// schemas are.
func singularWord(word string) (string, bool) {
	if len(word) < 3 || uncountable(word) {
		return "", false
	}
	for _, irregular := range irregulars {
		if prefix, ok := strings.CutSuffix(word, irregular[0]); ok && (prefix == "" || len(irregular[0]) > 4) {
			return prefix + irregular[1], true
		}
	}
	for _, rule := range endings {
		if stem, ok := strings.CutSuffix(word, rule[0]); ok && len(stem) > 0 {
			return stem + rule[1], rule[0] != rule[1]
		}
	}
	return "", false
}

// uncountable reports whether a word has no plural, equals its plural, or is a singular
// with the ending of a plural.
func uncountable(word string) bool {
	return slices.Contains([]string{
		"news", "series", "species", "means", "lens", "gas", "bias", "alias", "atlas", "canvas", "chaos", "christmas", "cosmos", "pancreas", "texas",
		"aws", "css", "dns", "gps", "https", "ios", "os", "sms", "tls", "kubernetes", "redis", "postgres",
		"was", "has", "this", "always", "sometimes", "minus", "plus", "versus", "yes", "else", "whereas", "perhaps", "less",
		"analytics", "logistics", "physics", "mathematics", "economics", "politics", "genetics", "ethics", "graphics",
		"thanks", "goods", "headquarters", "corps", "diabetes", "apparatus",
		"data", "metadata", "media", "information", "equipment", "feedback", "content",
	}, word)
}

// irregulars are irregular plurals with their singulars. Those of more than four
// letters also count at the end of a longer word: grandchildren.
var irregulars = [][2]string{
	{"children", "child"}, {"people", "person"}, {"women", "woman"}, {"men", "man"}, {"teeth", "tooth"}, {"feet", "foot"}, {"geese", "goose"}, {"mice", "mouse"},
	{"indices", "index"}, {"vertices", "vertex"}, {"matrices", "matrix"}, {"appendices", "appendix"}, {"codices", "codex"}, {"vortices", "vortex"},
	{"criteria", "criterion"}, {"phenomena", "phenomenon"}, {"schemata", "schema"}, {"alumni", "alumnus"}, {"radii", "radius"}, {"stimuli", "stimulus"},
	{"analyses", "analysis"}, {"diagnoses", "diagnosis"}, {"hypotheses", "hypothesis"}, {"parentheses", "parenthesis"}, {"theses", "thesis"},
	{"syntheses", "synthesis"}, {"synopses", "synopsis"}, {"emphases", "emphasis"}, {"crises", "crisis"}, {"axes", "axis"}, {"oases", "oasis"},
	{"leaves", "leaf"}, {"halves", "half"}, {"shelves", "shelf"}, {"wolves", "wolf"}, {"knives", "knife"}, {"lives", "life"}, {"wives", "wife"}, {"thieves", "thief"},
	{"movies", "movie"}, {"cookies", "cookie"}, {"calories", "calorie"}, {"selfies", "selfie"}, {"zombies", "zombie"}, {"ties", "tie"}, {"pies", "pie"}, {"lies", "lie"},
	{"caches", "cache"}, {"aches", "ache"}, {"quizzes", "quiz"}, {"buses", "bus"}, {"gases", "gas"}, {"lenses", "lens"}, {"aliases", "alias"}, {"biases", "bias"},
	{"canvases", "canvas"}, {"atlases", "atlas"}, {"shoes", "shoe"}, {"toes", "toe"}, {"canoes", "canoe"}, {"oboes", "oboe"},
	{"excuses", "excuse"}, {"abuses", "abuse"}, {"uses", "use"}, {"fuses", "fuse"}, {"muses", "muse"}, {"ruses", "ruse"},
}

// endings turn a plural into its singular; the first match counts. Those that do not
// change are not plurals.
var endings = [][2]string{
	{"ss", "ss"}, {"us", "us"}, {"is", "is"},
	{"ies", "y"}, {"sses", "ss"}, {"shes", "sh"}, {"ches", "ch"}, {"xes", "x"}, {"zzes", "zz"}, {"oes", "o"},
	{"auses", "ause"}, {"ouses", "ouse"}, {"uses", "us"}, {"s", ""},
}
