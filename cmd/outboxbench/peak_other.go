//go:build !linux

package main

import "os"

// peakOf and peakMemory return 0: other systems count in other units, or not at all.
func peakOf(int) float64 { return 0 }

func peakMemory(*os.ProcessState) float64 { return 0 }
