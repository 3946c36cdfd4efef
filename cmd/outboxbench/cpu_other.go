//go:build !linux

package main

import "time"

// ownCPU, childrenCPU and siblingsCPU return 0: other systems count in other ways.
func ownCPU() time.Duration { return 0 }

func childrenCPU() time.Duration { return 0 }

func siblingsCPU(int) time.Duration { return 0 }
