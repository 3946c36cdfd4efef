package main

import (
	"io/fs"
	"log/slog"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/cgroup"
)

// memoryShare is the part of the container's memory limit, in percent, that Go's runtime
// may use. The rest is for the pages of the program and what the kernel counts.
const memoryShare = 90

// limitMemory sets the memory limit of Go's runtime from that of the container, so that
// the garbage collector works harder before the kernel kills the process. An operator who
// sets GOMEMLIMIT decides. set is debug.SetMemoryLimit; files is the root of the file
// system.
func limitMemory(getenv func(string) string, files fs.FS, log *slog.Logger, set func(int64) int64) {
	if files == nil || getenv("GOMEMLIMIT") != "" {
		return
	}
	container, ok := cgroup.MemoryLimit(files)
	if !ok {
		return
	}
	limit := container / 100 * memoryShare
	set(limit)
	log.Info("memory limit of Go's runtime set from that of the container", "bytes", limit, "container_bytes", container)
}
