package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newExportAsyncAPI(io streams, at *project) *cobra.Command {
	var options generator.AsyncAPIOptions
	var check bool
	cmd := &cobra.Command{
		Use:   "asyncapi",
		Short: "Export all events as one AsyncAPI document",
		Long: `asyncapi describes the events of the project in AsyncAPI 3.0, for catalogues,
documentation and code generators. Each event is a message, and each topic is a
channel, to which the service sends. Events that the service consumes are there too,
with the action receive.

The document describes what a consumer of the topic reads: the payload is the value
of the record, with the envelope around the event data. Headers, the key and the
place of the correlation id are there too. Schemas are in draft-07, as AsyncAPI asks
for. A warning names each constraint that draft-07 cannot express, and each example
of a message that is not valid.

The document stands alone: every reference leads to its components. outboxgen can
read it as a source of events, because x-outbox in a message has what AsyncAPI does
not say.

Without -o, it prints the document. With -o it writes the file, and never changes a
file that it has not written. With --check it writes nothing: it prints a unified
diff of the changes that it would make, and the exit code is 1 if there are any.`,
		Example: `  outboxgen export asyncapi
  outboxgen export asyncapi -o asyncapi.yaml
  outboxgen export asyncapi -o asyncapi.yaml --check    # in CI
  outboxgen export asyncapi --json > asyncapi.json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.File == "" && check {
				return errors.New("--check compares with the file of -o, but -o is not set")
			}
			return runExportAsyncAPI(io, *at, options, again(cmd), check)
		},
	}
	cmd.Flags().StringVarP(&options.File, "out", "o", "", "`file` for the document, relative to the folder of -C; .json selects JSON")
	cmd.Flags().BoolVar(&options.JSON, "json", false, "write JSON instead of YAML")
	cmd.Flags().StringVar(&options.Version, "api-version", "1.0.0", "`version` of the document, info.version")
	cmd.Flags().BoolVar(&check, "check", false, "compare with the file instead of writing")
	projectFlags(cmd, at)
	configFlag(cmd, at)
	return cmd
}

func runExportAsyncAPI(io streams, at project, options generator.AsyncAPIOptions, command string, check bool) error {
	shown := options.File
	file, err := placeDocument(io, at.dir, shown, check)
	if err != nil {
		return err
	}
	options.File = file
	options.JSON = options.JSON || strings.EqualFold(filepath.Ext(shown), ".json")
	exported, err := generator.ExportAsyncAPI(generator.Config{Dir: at.dir, File: at.config}, options)
	if err != nil {
		return err
	}
	return finishDocument(io, exported, command, file, shown, check)
}

// placeDocument returns the file of an export below dir: "" for the standard output. A
// pipe and a device have nothing to compare with.
func placeDocument(io streams, dir, shown string, check bool) (string, error) {
	if shown == "" {
		return "", nil
	}
	file := joinDir(dir, shown)
	at := targetOf(io.Out, file)
	switch {
	case at != regular && check:
		return "", fmt.Errorf("--check compares with the file of -o, but %s is not a regular file", shown)
	case at == stdout:
		return "", nil
	}
	return file, nil
}

// finishDocument prints the one file of an export, compares it with the file that shown
// names, or writes it. file is what placeDocument returned. command writes it again.
func finishDocument(io streams, exported *generator.Exported, command, file, shown string, check bool) error {
	if err := exported.Report(io.Err, io.reportOptions()); err != nil {
		return err
	}
	if exported.Failed() {
		return errFindings
	}
	switch {
	case file == "":
		return printf(io.Out, "%s", exported.Files[0].Content)
	case targetOf(io.Out, file) == stream:
		return writeStream(file, shown, exported.Files[0].Content)
	}
	differences, err := exported.Compare()
	switch {
	case err != nil:
		return err
	case len(differences) == 0 && check:
		return nil
	case len(differences) == 0:
		return printf(io.Out, "up to date: %s\n", shown)
	case check:
		if err := printDiffs(io, differences); err != nil {
			return err
		}
		if err := printf(io.Err, "outboxgen: %s is out of date; run %s\n", shown, command); err != nil {
			return err
		}
		return errFindings
	}
	write, remove := changes(differences)
	if err := makeFolder(exported.Dir, filepath.Dir(shown)); err != nil {
		return err
	}
	return apply(io, exported.Dir, filepath.Dir(shown), write, remove)
}
