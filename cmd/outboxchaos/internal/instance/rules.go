//go:build !outboxfailpoints

package instance

import (
	"fmt"
	"slices"
)

// rulesOff refuses what this build cannot do.
func rulesOff(rules []string) error {
	if slices.Contains(rules, RuleBoundedWaves) {
		return fmt.Errorf("the rule %s can be turned off only in a build with -tags outboxfailpoints", RuleBoundedWaves)
	}
	return nil
}
