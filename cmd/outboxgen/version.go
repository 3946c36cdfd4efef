package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newVersion(io streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of outboxgen, sqlc and Go",
		Example: `  outboxgen version`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return printf(io.Out, "%s", versions())
		},
	}
}

// versions returns what the command version prints, and the flag --version.
func versions() string {
	return fmt.Sprintf("outboxgen %s\nsqlc %s\n%s %s/%s\n",
		builtVersion(), generator.SQLCVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

const modulePath = "github.com/outboxgen/outboxgen"

// builtVersion returns the version in the binary: of the main module if it was built
// with go install or go run, of a dependency if it is a tool of another module.
func builtVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	version := ""
	if info.Main.Path == modulePath {
		version = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			version = dep.Version
		}
	}
	if version == "" {
		return "(devel)"
	}
	return version
}

// releasedVersion returns the version that go run can fetch, or "" if this build has
// none.
func releasedVersion() string {
	version := builtVersion()
	if version == "(devel)" || dirty(version) {
		return ""
	}
	return version
}

// dirty reports whether the version comes from a work tree with changes.
func dirty(version string) bool {
	const mark = "+dirty"
	return len(version) > len(mark) && version[len(version)-len(mark):] == mark
}
