package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newExportDebezium(io streams, at *project) *cobra.Command {
	var options generator.DebeziumOptions
	var check bool
	cmd := &cobra.Command{
		Use:   "debezium",
		Short: "Export a Debezium connector that publishes the events",
		Long: `debezium writes the configuration of a Debezium connector for the table
event_outbox, so that Kafka Connect can publish the events instead of outboxrelay. It
is JSON as the REST API of Kafka Connect takes it. The records have the same topics,
keys, values, headers and partitions as those of outboxrelay. docs/debezium.md lists
what differs, and how to hand over from one to the other.

The address and the password of the database are not in the configuration. It names
the environment variables PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD of Kafka
Connect, whose settings need config.providers=env.

The connector publishes the headers that outboxgen sets. Name each header that the
service adds with WithHeader: --header NAME, which can be repeated. Give --compression
the value of the relay's setting compression: a record that fits into its topic only
when it is compressed stops a connector that does not compress it.

Without -o, it prints the configuration. With -o it writes the file, and never changes
a file that it has not written. With --check it writes nothing: it prints a unified
diff of the changes that it would make, and the exit code is 1 if there are any.`,
		Example: `  outboxgen export debezium
  outboxgen export debezium --header tenant -o debezium.json
  outboxgen export debezium --header tenant -o debezium.json --check    # in CI`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.File == "" && check {
				return errors.New("--check compares with the file of -o, but -o is not set")
			}
			return runExportDebezium(io, *at, options, again(cmd), check)
		},
	}
	cmd.Flags().StringVarP(&options.File, "out", "o", "", "`file` for the configuration")
	cmd.Flags().StringVar(&options.Name, "name", "", "`name` of the connector, its replication slot and its publication; default: outbox_ and the service")
	cmd.Flags().StringArrayVar(&options.Headers, "header", nil, "`name` of a header that the service adds to events")
	cmd.Flags().StringVar(&options.Compression, "compression", "none", "`codec` of the records: none, gzip, snappy, lz4 or zstd")
	cmd.Flags().BoolVar(&check, "check", false, "compare with the file instead of writing")
	projectFlags(cmd, at)
	configFlag(cmd, at)
	return cmd
}

func runExportDebezium(io streams, at project, options generator.DebeziumOptions, command string, check bool) error {
	shown := options.File
	file, err := placeDocument(io, at.dir, shown, check)
	if err != nil {
		return err
	}
	options.File = file
	exported, err := generator.ExportDebezium(generator.Config{Dir: at.dir, File: at.config}, options)
	if err != nil {
		return err
	}
	return finishDocument(io, exported, command, file, shown, check)
}
