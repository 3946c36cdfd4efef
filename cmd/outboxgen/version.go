package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/version"
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
		version.Built(), generator.SQLCVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
