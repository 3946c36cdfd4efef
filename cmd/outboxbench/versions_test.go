package main

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLibraries(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Deps: []*debug.Module{
		{Path: "example.com/a", Version: "v1.0.0"}, {Path: "example.com/b", Version: "v2.0.0"}, {Path: "example.com/c", Version: "v3.0.0"},
	}}
	got := librariesOf(info, map[string]string{"example.com/c": "c", "example.com/a": "a"})
	if diff := cmp.Diff([]string{"a v1.0.0", "c v3.0.0"}, got); diff != "" {
		t.Errorf("libraries (-want +got):\n%s", diff)
	}
}
