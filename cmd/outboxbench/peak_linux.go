package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// peakOf returns the most memory, in bytes, that a running process had at once. Unlike
// peakMemory, it does not count the memory of this process when it started the other one.
func peakOf(pid int) float64 {
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(value(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")), " ")
	n, err := strconv.Atoi(kilobytes)
	if err != nil {
		return 0
	}
	return float64(n) * 1024
}

// peakMemory returns the most memory, in bytes, that a process or one of its children
// had at once.
func peakMemory(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) * 1024
}
