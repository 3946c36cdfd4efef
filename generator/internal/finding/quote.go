package finding

import (
	"strconv"
	"unicode/utf8"
)

// maxQuote is how many characters of a name from a file a message repeats.
const maxQuote = 80

// Quote puts s into double quotes for a message: control characters and
// anything else that a terminal would act on are escaped, and what is longer
// than a message can bear is cut with an ellipsis.
func Quote(s string) string {
	if utf8.RuneCountInString(s) > maxQuote {
		s = string([]rune(s[:min(len(s), maxQuote*utf8.UTFMax)])[:maxQuote-1]) + "…"
	}
	return strconv.Quote(s)
}
