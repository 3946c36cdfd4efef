package main

import (
	"os"
	"testing"
)

func TestCPU(t *testing.T) {
	t.Parallel()
	if own, siblings := ownCPU(), siblingsCPU(os.Getpid()); own <= 0 || siblings <= 0 {
		t.Errorf("%s of this process, %s of it and its siblings", own, siblings)
	}
	if got := siblingsCPU(-1); got != 0 {
		t.Errorf("%s of a process that is not there", got)
	}
}
