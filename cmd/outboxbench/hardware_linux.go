package main

import (
	"os"
	"strconv"
	"strings"
)

// processor returns the name of the processor; empty: unknown.
func processor() string { return strings.TrimSpace(value("/proc/cpuinfo", "model name")) }

// memoryMB returns the size of the memory in MiB; 0: unknown.
func memoryMB() int {
	kilobytes, _, _ := strings.Cut(strings.TrimSpace(value("/proc/meminfo", "MemTotal")), " ")
	n, err := strconv.Atoi(kilobytes)
	if err != nil {
		return 0
	}
	return n / 1024
}

// value returns the first value with a name in a file of lines "name: value".
func value(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return value
		}
	}
	return ""
}
