package version

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		info           debug.BuildInfo
		want, released string
	}{
		"go install": {
			debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3"}},
			"v1.2.3", "v1.2.3",
		},
		"tool of another module": {
			debug.BuildInfo{
				Main: debug.Module{Path: "example.com/shop", Version: "v9.0.0"},
				Deps: []*debug.Module{{Path: "example.com/other", Version: "v8.0.0"}, {Path: module, Version: "v1.2.3"}},
			},
			"v1.2.3", "v1.2.3",
		},
		"go build of a clean commit": {
			debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.4-0.20261130121030-0f0fc713abcd"}},
			"v1.2.4-0.20261130121030-0f0fc713abcd", "v1.2.4-0.20261130121030-0f0fc713abcd",
		},
		"go build with changes": {
			debug.BuildInfo{Main: debug.Module{Path: module, Version: "v1.2.3+dirty"}},
			"v1.2.3+dirty", "",
		},
		"make dist with changes": {
			debug.BuildInfo{Main: debug.Module{Path: module, Version: "v0.0.0-dirty.0f0fc713abcd"}},
			"v0.0.0-dirty.0f0fc713abcd", "",
		},
		"a test": {debug.BuildInfo{Main: debug.Module{Path: module}}, Unknown, ""},
		"empty":  {debug.BuildInfo{}, Unknown, ""},
	} {
		got := Of(&c.info)
		if got != c.want || Released(got) != c.released {
			t.Errorf("%s: %q, released %q; want %q, released %q", name, got, Released(got), c.want, c.released)
		}
	}
}
