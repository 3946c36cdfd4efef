package page

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// storable returns what somebody has entered as a text that a database can have.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
}

// entered is storable without spaces around the text.
func entered(text string) string { return strings.TrimSpace(storable(text)) }

// visible returns a text of one line in which nothing is invisible and nothing changes the
// direction of what follows: control characters and such marks become escapes.
func visible(text string) string {
	return strings.ReplaceAll(terminal.Text(text), `\\`, `\`)
}

// visibleLines is visible for a text with line breaks.
func visibleLines(text string) string { return terminal.Lines(text) }

// moment is a time for the template time, which page.js shows in the zone of the browser.
type moment struct{ ISO, UTC string }

func at(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	return &moment{t.UTC().Format(time.RFC3339Nano), t.UTC().Format("2006-01-02 15:04:05 UTC")}
}

// grouped returns a number with a comma after each three digits.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// pendingWords says how many rows are pending, as far as it is known.
func pendingWords(s admin.State) string {
	if s.AtLeast {
		return "at least " + counted(s.Pending)
	}
	return counted(s.Pending)
}

// counted returns a count that stops at a maximum.
func counted(n int64) string {
	if n >= admin.PendingCap {
		return "more than " + grouped(admin.PendingCap-1)
	}
	return grouped(n)
}

// several returns a count with its noun.
func several(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// perSecond returns a throughput.
func perSecond(rate float64) string {
	switch {
	case math.IsNaN(rate):
		return "not known here"
	case rate > 0 && rate < 9.95:
		return fmt.Sprintf("%.1f/s", rate)
	}
	return grouped(int64(math.Round(rate))) + "/s"
}

// span returns a duration in at most two units.
func span(d time.Duration) string {
	switch d = max(0, d); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days %d h", int(d.Hours())/24, int(d.Hours())%24)
}

// keyText returns a key for a person.
func keyText(key *string) string {
	if key == nil || *key == "" {
		return "none"
	}
	return visible(*key)
}

// short returns the beginning of a text.
func short(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// address returns the relative address of a page with parameters, in pairs.
func address(page string, pairs ...string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Add(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return page
	}
	return page + "?" + query.Encode()
}

// shellWord quotes a text for a shell, if it needs that.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:@", r))
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	if shown := visible(text); shown == text {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'") // bash, zsh and ksh read escapes in it
	for _, c := range []byte(text) {
		if c >= 0x20 && c < 0x7f && c != '\'' && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String() + "'"
}
