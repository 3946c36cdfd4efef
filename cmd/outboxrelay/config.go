package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

func configCommand(env environment) *cobra.Command {
	var c *configuration
	var markdown, asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print all settings, where they can be set, and their current values",
		Example: "  outboxrelay config --config outboxrelay.yaml\n" +
			"  outboxrelay config --markdown    # the table in docs/running.md",
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
				if asJSON {
					if err := printJSON(env.stdout, shownValues(v)); err != nil {
						return err
					}
					continue
				}
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per outbox, with each setting and its value")
	c = env.declare(cmd, table)
	return cmd
}

// printJSON writes one line of JSON that is safe for a terminal.
func printJSON(w io.Writer, v any) error {
	return json.NewEncoder(terminal.JSON(w)).Encode(v)
}

// shownValues maps the members of the file to their values, without secrets.
func shownValues(v values) map[string]string {
	out := map[string]string{}
	for _, s := range table {
		out[s.member()] = s.shown(v[s.name])
	}
	return out
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		// The argument may be the rest of a password.
		return misuse{fmt.Errorf("%s takes no arguments; quote a value that contains spaces, and write --flag=false for a boolean flag", cmd.CommandPath())}
	}
	return nil
}

func printValues(w io.Writer, v values) error {
	columns := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, s := range table {
		fmt.Fprintf(columns, "--%s\t%s\t%s\t%s\n", s.name, s.variables(", "), s.member(), s.shown(v[s.name]))
	}
	return columns.Flush()
}

// shown returns the value without secrets.
func (s setting) shown(value string) string {
	switch {
	case value == "":
		return ""
	case s.kind.secret:
		return "(set)"
	case s.name == "brokers":
		for broker := range strings.SplitSeq(value, ",") {
			if new(secret.Redactor).Broker(strings.TrimSpace(broker)) != nil {
				return "(set, but not host:port)"
			}
		}
	case s.kind.file:
		if _, err := os.Stat(value); err != nil { // may be a key itself, set by mistake
			return "(set, but the file does not exist)"
		}
	}
	return terminal.Text(value)
}

func printMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| flag | environment | file | default | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range table {
		def := s.def
		if def != "" {
			def = "`" + def + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `%s` | `%s` | %s | %s |\n", s.name, s.variables("`, `"), s.member(), def, s.help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
