package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newExport(io streams, at *project) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Export the events for other languages and tools",
		Long: `export writes the files that other languages and tools need: a JSON Schema document
for each event, one document of AsyncAPI for all of them, or the configuration of a
Debezium connector that publishes them.`,
		Example: `  outboxgen export jsonschema -o jsonschema
  outboxgen export asyncapi -o asyncapi.yaml
  outboxgen export debezium -o debezium.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExportJSONSchema(io, at), newExportAsyncAPI(io, at), newExportDebezium(io, at))
	return cmd
}

func newExportJSONSchema(io streams, at *project) *cobra.Command {
	var out string
	var check bool
	cmd := &cobra.Command{
		Use:   "jsonschema [TYPE]",
		Short: "Export each event as one JSON Schema document",
		Long: `jsonschema writes the schema of each event's data as one JSON Schema 2020-12
document. Schemas that it refers to, in other files and in older drafts, are
included under $defs. So every validator and code generator can read it, such as
datamodel-code-generator for Pydantic.

The file name is the event's type. x-event in the document has the event's topic
and the place of its key. -o sets the folder. The command removes documents of
removed events that it wrote earlier, and never changes other files. Without -o, it
prints one event: the given type, or the only one.

With --check it writes nothing: it prints a unified diff of the changes that it
would make, and the exit code is 1 if there are any.`,
		Example: `  outboxgen export jsonschema -o jsonschema
  outboxgen export jsonschema -o jsonschema --check    # in CI
  outboxgen export jsonschema shop.order_placed.v1 > order_placed.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("give one event type, not %d; -o writes all events", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if out != "" && len(args) > 0 {
				return errors.New("-o writes all events; remove the type or -o")
			}
			if out == "" && check {
				return errors.New("--check compares with the folder of -o, but -o is not set")
			}
			return runExport(io, *at, out, again(cmd), check, args)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`folder` for the documents, relative to that of -C")
	completeFolders(cmd, "out")
	cmd.Flags().BoolVar(&check, "check", false, "compare with the folder instead of writing")
	projectFlags(cmd, at)
	configFlag(cmd, at)
	return cmd
}

func runExport(io streams, at project, out, command string, check bool, types []string) error {
	dir := ""
	if out != "" {
		dir = joinDir(at.dir, out)
	}
	exported, err := generator.ExportJSONSchema(generator.Config{Dir: at.dir, File: at.config}, dir)
	if err != nil {
		return err
	}
	if err := exported.Report(io.Err, io.reportOptions()); err != nil {
		return err
	}
	if exported.Failed() {
		return errFindings
	}
	if out == "" {
		return printExported(io, exported, types)
	}
	differences, err := exported.Compare()
	if err != nil {
		return err
	}
	if check {
		return differing(io, out, command, differences)
	}
	return writeExported(io, dir, out, len(exported.Files), differences)
}

func printExported(io streams, exported *generator.Exported, types []string) error {
	index := 0
	switch {
	case len(types) == 1:
		if index = slices.Index(exported.Types, types[0]); index < 0 {
			return fmt.Errorf("the project has no event of type %s; it has %s", types[0], strings.Join(exported.Types, ", "))
		}
	case len(exported.Files) != 1:
		return fmt.Errorf("the project has %d events; give the type of one, or write all with -o FOLDER", len(exported.Files))
	}
	return printf(io.Out, "%s", exported.Files[index].Content)
}

// differing reports what is not as command would write it.
func differing(io streams, out, command string, differences []generator.Difference) error {
	if len(differences) == 0 {
		return nil
	}
	if err := printDiffs(io, differences); err != nil {
		return err
	}
	is := "is"
	if len(differences) > 1 {
		is = "are"
	}
	if err := printf(io.Err, "outboxgen: %s in %s %s out of date; run %s\n", counted(len(differences), "document"), out, is, command); err != nil {
		return err
	}
	return errFindings
}

func writeExported(io streams, dir, out string, all int, differences []generator.Difference) error {
	if len(differences) == 0 {
		return printf(io.Out, "up to date: %s\n", counted(all, "document"))
	}
	write, remove := changes(differences)
	if err := makeFolder(dir, out); err != nil {
		return err
	}
	return apply(io, dir, out, write, remove)
}
