package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func configCommand(env environment, c *configuration) *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print every setting, where it can be set, and its value now",
		Example: "  outboxrelay config --config outboxrelay.yaml\n" +
			"  outboxrelay config --markdown    # the table of the README",
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if markdown {
				return printMarkdown(env.stdout)
			}
			l, err := c.layers()
			if err != nil {
				return err
			}
			resolved, err := l.outboxes(table)
			if err != nil {
				return misuse{err}
			}
			for i, v := range resolved {
				if i > 0 {
					if _, err := fmt.Fprintln(env.stdout); err != nil {
						return err
					}
				}
				if err := printValues(env.stdout, v); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print names and defaults as a Markdown table")
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misuse{fmt.Errorf("%s takes no argument, and got %q", cmd.CommandPath(), args[0])}
	}
	return nil
}

func printValues(w io.Writer, v values) error {
	columns := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range table {
		value := v[s.name]
		if s.secret && value != "" {
			value = "(set)"
		}
		if _, err := fmt.Fprintf(columns, "--%s\t%s\t%s\t%s\n", s.name, s.variables(", "), s.member(), value); err != nil {
			return err
		}
	}
	return columns.Flush()
}

func printMarkdown(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "| flag | environment | file | default | what it is |\n| --- | --- | --- | --- | --- |"); err != nil {
		return err
	}
	for _, s := range table {
		def := s.def
		if def != "" {
			def = "`" + def + "`"
		}
		_, err := fmt.Fprintf(w, "| `--%s` | `%s` | `%s` | %s | %s |\n", s.name, s.variables("`, `"), s.member(), def, s.help)
		if err != nil {
			return err
		}
	}
	return nil
}

// variables are the environment variables that are looked at, first things first.
func (s setting) variables(separator string) string {
	if s.alias == "" {
		return s.env()
	}
	return s.env() + separator + s.alias
}
