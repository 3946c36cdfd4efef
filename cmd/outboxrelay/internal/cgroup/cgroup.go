// Package cgroup reads the memory limit of the container that the process runs in.
package cgroup

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// unlimited is where limits of version 1 begin that stand for none.
const unlimited = 1 << 60

// controller is one of the two versions of control groups, with the file of its limit.
type controller struct {
	group  string // of the process
	mount  string // of the file system of the groups
	root   string // the group that is mounted there
	file   string
	exists bool
}

// MemoryLimit returns the lowest memory limit, in bytes, of the control groups around the
// process, of version 1 or 2. ok is false if there is none. files is the root of the
// file system.
func MemoryLimit(files fs.FS) (limit int64, ok bool) {
	for _, c := range controllers(files) {
		if n, has := c.lowest(files); has && (!ok || n < limit) {
			limit, ok = n, true
		}
	}
	return limit, ok
}

// lowest returns the lowest limit from the process's group up to the mounted one. A group
// may set more than the groups around it allow.
func (c controller) lowest(files fs.FS) (limit int64, ok bool) {
	// With a namespace of its own, a container may see the name of its group from
	// outside, and only its own group is mounted.
	inside, found := strings.CutPrefix(c.group, strings.TrimSuffix(c.root, "/"))
	if !found || strings.HasPrefix(inside, "/..") {
		inside = "/"
	}
	for group := path.Clean("/" + inside); ; group = path.Dir(group) {
		if n, has := read(files, path.Join(c.mount, group, c.file)); has && (!ok || n < limit) {
			limit, ok = n, true
		}
		if group == "/" {
			return limit, ok
		}
	}
}

// read reads a limit. The word max, which is none, is no number.
func read(files fs.FS, name string) (limit int64, ok bool) {
	text, err := fs.ReadFile(files, strings.TrimPrefix(name, "/"))
	if err != nil {
		return 0, false
	}
	limit, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return limit, err == nil && limit > 0 && limit < unlimited
}

// controllers returns those that may limit memory. On a system without control groups
// there are none.
func controllers(files fs.FS) []controller {
	v1, v2 := controller{file: "memory.limit_in_bytes"}, controller{file: "memory.max"}
	for _, line := range lines(files, "proc/self/cgroup") {
		// 4:memory:/group in version 1, 0::/group in version 2
		number, rest, _ := strings.Cut(line, ":")
		names, group, _ := strings.Cut(rest, ":")
		switch {
		case number == "0" && names == "":
			v2.group = group
		case slices.Contains(strings.Split(names, ","), "memory"):
			v1.group = group
		}
	}
	for _, line := range lines(files, "proc/self/mountinfo") {
		// 36 25 0:31 /root /mount options … - cgroup source options
		before, after, _ := strings.Cut(line, " - ")
		fields, system := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(system) < 3 {
			continue
		}
		switch {
		case system[0] == "cgroup2" && !v2.exists: // later mounts may be those of the host
			v2.root, v2.mount, v2.exists = fields[3], fields[4], true
		case system[0] == "cgroup" && !v1.exists && slices.Contains(strings.Split(system[2], ","), "memory"):
			v1.root, v1.mount, v1.exists = fields[3], fields[4], true
		}
	}
	return slices.DeleteFunc([]controller{v1, v2}, func(c controller) bool { return !c.exists || c.group == "" })
}

func lines(files fs.FS, name string) []string {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\n")
}
