package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/version"
)

func versionCommand(env environment) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of outboxrelay and Go",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(env.stdout, "outboxrelay %s, built with %s\n", version.Built(), runtime.Version())
			return err
		},
	}
}
