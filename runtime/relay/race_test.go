//go:build race

package relay

// raced: the race detector is on. A schedule of the simulation is played by one
// goroutine, so the detector has little to find in it, and makes it much slower.
const raced = true
