package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// plainWord matches an argument that a shell takes without quotes.
var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// again returns the command line of a command as it was called, without --check.
func again(cmd *cobra.Command) string {
	line := []string{cmd.CommandPath()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "check" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if f.Value.Type() == "bool" {
				line = append(line, "--"+f.Name+"="+value)
				continue
			}
			line = append(line, name, shellWord(value))
		}
	})
	return strings.Join(line, " ")
}

// shellWord returns an argument with quotes if a shell needs them.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
