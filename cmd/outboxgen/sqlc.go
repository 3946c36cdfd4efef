package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/sqlc-dev/sqlc/pkg/cli"
)

// sqlcCommand is the hidden command with which outboxgen runs itself as sqlc. It needs
// its own process because sqlc exits on an error.
const sqlcCommand = "sqlc"

func newSQLC() *cobra.Command {
	return &cobra.Command{
		Use:                sqlcCommand,
		Short:              "Run the sqlc that outboxgen is built with",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if code := cli.Run(args); code != 0 {
				return exitError(code)
			}
			return nil
		},
	}
}

// ownFile is the file of this program. Tests replace it.
var ownFile = os.Executable

// self returns the command that runs sqlc.
func self() ([]string, error) {
	exe, err := ownFile()
	if err != nil {
		return nil, fmt.Errorf("find outboxgen's own executable, to run sqlc: %w", err)
	}
	return []string{exe, sqlcCommand}, nil
}
