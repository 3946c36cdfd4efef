package cgroup_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/cgroup"
)

const (
	mountV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountV1 = "36 25 0:31 / /sys/fs/cgroup/memory rw,nosuid shared:12 - cgroup cgroup rw,memory\n"
)

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	type limit struct {
		Bytes int64
		OK    bool
	}
	none := limit{}
	for name, c := range map[string]struct {
		files map[string]string
		want  limit
	}{
		"no control groups": {nil, none},
		"version 2": {map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/memory.max": "419430400\n",
		}, limit{419430400, true}},
		"version 2 without a limit": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/relay.service\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/system.slice/relay.service/memory.max": "max\n",
			"sys/fs/cgroup/system.slice/memory.max":               "max\n",
		}, none},
		"a group around has the lowest limit": {map[string]string{
			"proc/self/cgroup": "0::/a/b/c\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a/b/c/memory.max": "max\n",
			"sys/fs/cgroup/a/b/memory.max":   "3000\n",
			"sys/fs/cgroup/a/memory.max":     "2000\n",
		}, limit{2000, true}},
		"the inner group has the lowest limit": {map[string]string{
			"proc/self/cgroup": "0::/a/b\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/a/b/memory.max": "1000\n",
			"sys/fs/cgroup/a/memory.max":   "2000\n",
		}, limit{1000, true}},
		"a group outside the namespace": {map[string]string{
			"proc/self/cgroup": "0::/../other\n", "proc/self/mountinfo": mountV2,
			"sys/fs/cgroup/memory.max": "5000\n",
			"sys/fs/other/memory.max":  "1\n",
		}, limit{5000, true}},
		"the host's groups are mounted too": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"proc/self/mountinfo":      mountV2 + "31 23 0:26 / /host/cgroup ro - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/memory.max": "5000\n", "host/cgroup/memory.max": "max\n",
		}, limit{5000, true}},
		"version 1": {map[string]string{
			"proc/self/cgroup": "9:name=systemd:/x\n4:memory:/x\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "134217728\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
		}, limit{134217728, true}},
		"version 1 without a limit": {map[string]string{
			"proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": mountV1,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, none},
		"version 1 in a container that sees the name of its group from outside": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/abc\n",
			"proc/self/mountinfo":                        "36 25 0:31 /docker/abc /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n",
		}, limit{67108864, true}},
		"both versions, memory in version 1": {map[string]string{
			"proc/self/cgroup":                             "4:cpu,memory:/x\n0::/y\n",
			"proc/self/mountinfo":                          mountV1 + "31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "700\n",
		}, limit{700, true}},
		"broken files": {map[string]string{
			"proc/self/cgroup": "nonsense\n0::\n:::\n", "proc/self/mountinfo": "1 2 3 - cgroup2\n\n" + mountV2,
			"sys/fs/cgroup/memory.max": "12x\n",
		}, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := fstest.MapFS{}
			for file, text := range c.files {
				files[file] = &fstest.MapFile{Data: []byte(text)}
			}
			var got limit
			got.Bytes, got.OK = cgroup.MemoryLimit(files)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
