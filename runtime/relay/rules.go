//go:build !outboxfailpoints

package relay

// rulesOff says which rules of the protocol are off: none.
func rulesOff() switches { return switches{} }
