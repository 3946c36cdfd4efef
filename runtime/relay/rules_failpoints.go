//go:build outboxfailpoints

package relay

import (
	"os"
	"strings"
)

// rulesOff reads which rules of the protocol are off. It exists in builds that are
// made to show what a rule is for: command outboxchaos then finds the fault that
// the rule prevents.
func rulesOff() switches {
	off := os.Getenv("OUTBOXGEN_RULES_OFF")
	return switches{
		unboundedProduce: strings.Contains(off, "bounded-waves"),
		noDeadline:       strings.Contains(off, "deadline"),
	}
}
