package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// choice is the type of a flag with a few values. It ignores case, and accepts _ for -.
type choice struct {
	value *string
	of    []string
}

func (c *choice) String() string { return *c.value }

// Type returns what the help text puts after the flag. A long list would leave no room on
// the line.
func (c *choice) Type() string {
	if len(c.of) > 6 {
		return "NAME"
	}
	return strings.Join(c.of, "|")
}

func (c *choice) Set(text string) error {
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }
	at := slices.IndexFunc(c.of, func(s string) bool { return plain(s) == plain(text) })
	if at < 0 {
		last := len(c.of) - 1
		return fmt.Errorf("use %s or %s", strings.Join(c.of[:last], ", "), c.of[last])
	}
	*c.value = c.of[at]
	return nil
}

// choiceFlag adds a flag with a few values, which the shell completes.
func choiceFlag(cmd *cobra.Command, value *string, name, def, usage string, of ...string) {
	*value = def
	cmd.Flags().Var(&choice{value, of}, name, usage)
	complete(cmd, name, of)
}

// complete makes the shell offer values for a flag.
func complete(cmd *cobra.Command, flag string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the command has no such flag
	}
}

// completeFolders makes the shell offer folders for a flag.
func completeFolders(cmd *cobra.Command, flag string) {
	if err := cmd.MarkFlagDirname(flag); err != nil {
		panic(err) // the command has no such flag
	}
}

// schemaFiles makes the shell offer the files that may contain a schema.
func schemaFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"json", "yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}
