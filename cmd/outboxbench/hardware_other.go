//go:build !linux

package main

// processor and memoryMB return nothing: other systems say it in other ways.
func processor() string { return "" }

func memoryMB() int { return 0 }
