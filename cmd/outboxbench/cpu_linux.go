package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ownCPU returns the processor time of this process.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// siblingsCPU returns the processor time of a process and of the others with the same
// parent: for a Postgres backend, all of the server's. It returns 0 if the process is not
// on this machine.
func siblingsCPU(pid int) time.Duration {
	parent := parentOf(fmt.Sprint("/proc/", pid))
	if parent <= 1 {
		return 0
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, dir := range processes {
		if parentOf(dir) == parent {
			sum += ranFor(dir)
		}
	}
	return sum
}

// parentOf returns the parent of the process with that directory; 0: there is none.
func parentOf(dir string) int {
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	// pid (name) state parent …: a name may contain anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0
	}
	return parent
}

// ranFor returns how long the process has run on a processor.
func ranFor(dir string) time.Duration {
	schedstat, err := os.ReadFile(filepath.Join(dir, "schedstat"))
	if err != nil {
		return 0
	}
	on, _, _ := bytes.Cut(schedstat, []byte(" "))
	n, err := strconv.ParseInt(string(on), 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}
