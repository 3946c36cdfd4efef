//go:build !outboxfailpoints

package instance

import (
	"fmt"
	"slices"
)

// rulesOff returns an error for rules that this build cannot switch off.
func rulesOff(rules []string) error {
	if slices.Contains(rules, RuleBoundedWaves) {
		return fmt.Errorf("the rule %s can be turned off only in a build with -tags outboxfailpoints", RuleBoundedWaves)
	}
	return nil
}
