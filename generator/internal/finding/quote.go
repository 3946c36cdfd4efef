package finding

import (
	"strconv"
	"unicode/utf8"
)

// maxQuote is the maximum length of quoted text in a message.
const maxQuote = 80

// Quote puts s into double quotes for a message. It escapes control characters
// and cuts long text with an ellipsis.
func Quote(s string) string {
	if utf8.RuneCountInString(s) > maxQuote {
		s = string([]rune(s[:min(len(s), maxQuote*utf8.UTFMax)])[:maxQuote-1]) + "…"
	}
	return strconv.Quote(s)
}
