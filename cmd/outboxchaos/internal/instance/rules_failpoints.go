//go:build outboxfailpoints

package instance

import (
	"os"
	"strings"
)

// rulesOff tells the relay, which is built with the same tag.
func rulesOff(rules []string) error {
	return os.Setenv("OUTBOXGEN_RULES_OFF", strings.Join(rules, ","))
}
