package emit

import (
	"slices"
	"strings"
)

// aboutType makes the doc comment of a type from a description that is a noun phrase:
// "The score of an essay." of Score becomes "Score is the score of an essay." It
// reports whether it can. It leaves a description alone that may be a sentence: "An
// order ships." does not say what an Order is.
func aboutType(name, text string) (string, bool) {
	first, rest, _ := strings.Cut(text, " ")
	if rest == "" || !nounPhrase(text) {
		return "", false
	}
	return name + " is " + strings.ToLower(first) + " " + rest, true
}

// Words that distinguish noun phrases from sentences.
var (
	articles     = []string{"the", "a", "an"}
	subordinates = []string{"what", "how", "where", "when", "why", "who", "whether"}
	// relatives begin a clause with its own verb.
	relatives = append([]string{"that", "which", "whose", "whom", "if", "as", "because", "while", "until"}, subordinates...)
	// prepositions show that a plural before them is not a verb.
	prepositions = []string{"of", "in", "for", "from", "by", "with", "to", "and", "or", "on", "at", "per", "within", "without", "between"}
	verbs        = []string{
		"is", "are", "was", "were", "be", "has", "have", "had", "can", "could", "may", "might", "must", "will", "would", "shall", "should",
		"do", "does", "did", "became", "began", "came", "gave", "got", "left", "lost", "made", "paid", "sent", "sold", "took", "went", "won",
	}
)

// nounPhrase reports whether the first sentence of a text is certainly a noun phrase.
// It knows no grammar: a word that may be a verb makes it uncertain.
func nounPhrase(text string) bool {
	sentence, _, _ := strings.Cut(text, "\n")
	sentence, _, _ = strings.Cut(sentence, ". ")
	words := strings.Fields(strings.TrimSuffix(sentence, "."))
	if len(words) < 2 || strings.ContainsAny(sentence, "?!:;") {
		return false
	}
	first := strings.ToLower(words[0])
	if !slices.Contains(articles, first) {
		return slices.Contains(subordinates, first)
	}
	words = words[1:]
	for i, word := range words {
		word, next := strings.ToLower(strings.TrimRight(word, ",")), ""
		if i+1 < len(words) {
			next = strings.ToLower(words[i+1])
		}
		switch {
		case i > 0 && slices.Contains(relatives, word):
			return true
		case slices.Contains(verbs, word):
			return false
		case i == 0 || !strings.HasSuffix(word, "ed") && !strings.HasSuffix(word, "s"):
		case !slices.Contains(prepositions, next) && !slices.Contains(relatives, next):
			return false // may be a verb
		}
	}
	return true
}
