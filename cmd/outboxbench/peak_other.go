//go:build !linux

package main

import "os"

// peakMemory returns 0: other systems count in other units.
func peakMemory(*os.ProcessState) float64 { return 0 }
