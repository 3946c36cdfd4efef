package report

// Rule is what there is to say about one id.
type Rule struct {
	ID string
	// Short says what is found, in a few words; Why what breaks and for whom.
	Short, Why string
	// Before and After are an example, in Language (json or yaml); both may be
	// empty.
	Before, After, Language string
	// Fixed says that After is Before as it should be, and not a later state.
	Fixed bool
	// Instead says how to do it safely; may be empty.
	Instead string
	// Text is all of it as plain text.
	Text string
}

// help is a rule in Markdown.
func (r Rule) help() string {
	text := r.Why
	from, to := Example(r.Fixed)
	if r.Before != "" {
		text += "\n\n" + from + "\n\n" + fence(r.Before, r.Language) + "\n\n" + to + "\n\n" + fence(r.After, r.Language)
	}
	if r.Instead != "" {
		text += "\n\nInstead: " + r.Instead + "."
	}
	return text
}

// Example is the words before the first part of an example and between the two.
func Example(fixed bool) (from, to string) {
	if fixed {
		return "For example", "is better written"
	}
	return "For example, from", "to"
}
