// Package version knows the version of outboxgen in a running program.
package version

import (
	"runtime/debug"
	"strings"
)

// Unknown is the version of a program that was built from files without one, such as a
// test.
const Unknown = "(devel)"

const module = "github.com/outboxgen/outboxgen"

// Built returns the version that is in this program, or [Unknown].
func Built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Unknown
	}
	return Of(info)
}

// Of returns the version of outboxgen in a build: that of the main module if the program
// was built with go build, go install or go run, or of a dependency if it is a tool of
// another module.
func Of(info *debug.BuildInfo) string {
	if info.Main.Path == module && info.Main.Version != "" {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == module && dep.Version != "" {
			return dep.Version
		}
	}
	return Unknown
}

// Released returns a version that go run can fetch, or "" if there is none: a build of a
// work tree with changes is nowhere else.
func Released(version string) string {
	if version == Unknown || strings.HasSuffix(version, "+dirty") || strings.Contains(version, "-dirty.") {
		return ""
	}
	return version
}
