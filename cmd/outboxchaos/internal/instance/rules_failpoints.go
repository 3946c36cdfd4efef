//go:build outboxfailpoints

package instance

import (
	"os"
	"strings"
)

// rulesOff switches rules of the relay off. The relay is built with the same tag.
func rulesOff(rules []string) error {
	return os.Setenv("OUTBOXGEN_RULES_OFF", strings.Join(rules, ","))
}
