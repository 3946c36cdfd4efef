package main

import (
	"bytes"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

func TestLimitMemory(t *testing.T) {
	t.Parallel()
	limited := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"proc/self/mountinfo":      {Data: []byte("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("400000000\n")},
	}
	for name, c := range map[string]struct {
		files fs.FS
		env   string
		set   []int64
		log   string
	}{
		"90 % of the container's limit": {limited, "", []int64{360000000},
			"memory limit of Go's runtime set from that of the container\" bytes=360000000 container_bytes=400000000"},
		"GOMEMLIMIT decides":          {limited, "100MiB", nil, ""},
		"a container without a limit": {fstest.MapFS{}, "", nil, ""},
		"GOMEMLIMIT switches it off":  {limited, "off", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			var set []int64
			limitMemory(func(name string) string { return map[string]string{"GOMEMLIMIT": c.env}[name] }, c.files,
				newLogger(&out, "info", "text", new(secret.Redactor)), func(limit int64) int64 { set = append(set, limit); return 0 })
			if diff := cmp.Diff(c.set, set); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(out.String(), c.log) || c.log == "" && out.Len() > 0 {
				t.Errorf("log: %q, not %q", out.String(), c.log)
			}
		})
	}
}
