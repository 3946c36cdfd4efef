package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of outboxrelay and Go",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			version, goVersion := versions()
			_, err := fmt.Fprintf(env.stdout, "outboxrelay %s, built with %s\n", version, goVersion)
			return err
		},
	}
}

// versions returns the versions of this program and of Go.
func versions() (own, goVersion string) {
	own, goVersion = "(devel)", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		if info.Main.Version != "" {
			own = info.Main.Version
		}
	}
	return own, goVersion
}
