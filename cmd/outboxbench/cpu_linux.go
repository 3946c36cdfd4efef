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
func ownCPU() time.Duration { return cpuOf(syscall.RUSAGE_SELF) }

// childrenCPU returns the processor time of the processes that this one started and that
// have ended.
func childrenCPU() time.Duration { return cpuOf(syscall.RUSAGE_CHILDREN) }

func cpuOf(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// siblingsCPU returns the processor time of a process and of the others with the same
// parent, those that have ended too: for a Postgres backend, all of the server's. It
// returns 0 if the process is not on this machine.
func siblingsCPU(pid int) time.Duration {
	parent := parentOf(fmt.Sprint("/proc/", pid))
	if parent <= 1 {
		return 0
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0
	}
	sum := ended(fmt.Sprint("/proc/", parent))
	for _, dir := range processes {
		if parentOf(dir) == parent {
			sum += ranFor(dir)
		}
	}
	return sum
}

// parentOf returns the parent of the process with that directory; 0: there is none.
func parentOf(dir string) int {
	const parent = 4
	return int(stat(dir, parent))
}

// ended returns the processor time of the children that have ended, in hundredths of a
// second, as Linux counts it.
func ended(dir string) time.Duration {
	const user, system, tick = 16, 17, 10 * time.Millisecond
	return time.Duration(stat(dir, user)+stat(dir, system)) * tick
}

// stat returns a number of the file stat, whose fields are numbered from 1 as in proc(5); 0:
// it has none.
func stat(dir string, field int) int64 {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	// pid (name) state parent …: a name may contain anything.
	const afterName = 3
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= field-afterName {
		return 0
	}
	n, err := strconv.ParseInt(string(fields[field-afterName]), 10, 64)
	if err != nil {
		return 0
	}
	return n
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
