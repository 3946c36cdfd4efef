package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
	"github.com/outboxgen/outboxgen/generator"
)

func newExport(io streams, at *project) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the schemas for other languages",
		Long: `export writes what services in other languages need of a project. It knows one
form: jsonschema.`,
		Example: `  outboxgen export jsonschema -o jsonschema`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExportJSONSchema(io, at))
	return cmd
}

func newExportJSONSchema(io streams, at *project) *cobra.Command {
	var out string
	var check bool
	cmd := &cobra.Command{
		Use:   "jsonschema [TYPE]",
		Short: "Write each event as one JSON Schema document",
		Long: `jsonschema writes the schema of each event's data as one document of JSON Schema
2020-12. What the event refers to, in other files and in older drafts, is inside,
under $defs. So any validator can read it, and any generator of code, such as
datamodel-code-generator for Pydantic.

The name of a file is the type of its event. x-event in it says the event's topic
and where its key is. -o names the folder. The command removes the documents there
that it wrote for events that are gone, and touches no other file. Without -o, it
prints the event of that type, or the only one.

With --check it writes nothing: it prints a unified diff of what it would change
and exits 1 if there is any.`,
		Example: `  outboxgen export jsonschema -o jsonschema
  outboxgen export jsonschema -o jsonschema --check    # in CI
  outboxgen export jsonschema shop.order_placed.v1 > order_placed.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("one event type is enough, and there are %d; -o writes all events", len(args))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if out != "" && len(args) > 0 {
				return errors.New("-o writes all events; leave out the type, or -o")
			}
			if out == "" && check {
				return errors.New("--check compares with the folder that -o names, and there is no -o")
			}
			return runExport(io, *at, out, check, args)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`folder` to write the documents into")
	completeFolders(cmd, "out")
	cmd.Flags().BoolVar(&check, "check", false, "compare with the folder instead of writing")
	projectFlags(cmd, at)
	configFlag(cmd, at)
	return cmd
}

func runExport(io streams, at project, out string, check bool, types []string) error {
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
		return differing(io, out, differences)
	}
	return writeExported(io, dir, out, len(exported.Files), differences)
}

// printExported prints the document of one event.
func printExported(io streams, exported *generator.Exported, types []string) error {
	index := 0
	switch {
	case len(types) == 1:
		if index = slices.Index(exported.Types, types[0]); index < 0 {
			return fmt.Errorf("the project has no event of type %s; it has %s", types[0], strings.Join(exported.Types, ", "))
		}
	case len(exported.Files) != 1:
		return fmt.Errorf("the project has %d events; name the type of one, or write all with -o FOLDER", len(exported.Files))
	}
	return printf(io.Out, "%s", exported.Files[index].Content)
}

// differing reports what is not as it would be written.
func differing(io streams, out string, differences []generator.Difference) error {
	if len(differences) == 0 {
		return nil
	}
	for _, d := range differences {
		if err := printf(io.Out, "%s", d.Diff()); err != nil {
			return err
		}
	}
	if err := printf(io.Err, "outboxgen: %d of the documents in %s are out of date; run outboxgen export jsonschema -o %s\n", len(differences), out, out); err != nil {
		return err
	}
	return errFindings
}

func writeExported(io streams, dir, out string, all int, differences []generator.Difference) error {
	if len(differences) == 0 {
		return printf(io.Out, "up to date: %d documents\n", all)
	}
	var write []output.File
	var remove []string
	for _, d := range differences {
		if d.Kind == generator.Orphaned {
			remove = append(remove, d.Path)
			continue
		}
		write = append(write, output.File{Path: d.Path, Content: d.New})
	}
	if err := makeFolder(dir, out); err != nil {
		return err
	}
	if err := output.Apply(dir, write, remove); err != nil {
		return err
	}
	for _, f := range write {
		if err := printf(io.Out, "wrote %s\n", filepath.Join(out, f.Path)); err != nil {
			return err
		}
	}
	for _, name := range remove {
		if err := printf(io.Out, "removed %s\n", filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return nil
}
