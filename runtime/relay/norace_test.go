//go:build !race

package relay

// raced: the race detector is on.
const raced = false
