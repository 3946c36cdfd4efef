// Package generator turns the event schemas of a project into a Go package.
//
// Its functions return files or findings. Only Check writes a file: the baseline, if
// WriteBaseline asks for it. The command outboxgen is a thin layer over it:
//
//	result, err := generator.Generate(ctx, generator.Config{Dir: "."})
//	if err != nil {
//		return err // could not run: no config, no sqlc
//	}
//	for _, finding := range result.Findings {
//		fmt.Println(finding) // file:line:col: message
//	}
//	differences, err := result.Compare() // what to write and what to remove
//
// # What a run reads
//
// A run reads the project file, the schemas that it names and those that they refer to,
// the service's migrations, go.mod (for the import path of the generated package), and
// the folder of the generated package. If that has hand-written files, the go command
// says which of them belong to the package. Generating uses no network.
//
// # What it finds
//
// A finding has an id that is stable across releases. docs/findings.md lists the ids
// and the fixes.
//
// # The gate
//
// [Check] checks a change: it compares the project on disk with an earlier version in a
// git commit, a folder or a schema registry. It runs the git command. It contacts a
// registry only if one is configured.
//
// # What belongs to the generator
//
// Inside the folder of the generated package, the files whose first line is [Header];
// inside outboxdb below it, also those whose first line is sqlc's own. They are
// replaced, and removed when they are no longer generated. Any other file is never
// changed; if it is in the place of a generated file, that is an error. After a change
// of out: (or sqlc.queries) in the config, remove the files in the old place by hand.
//
// # The service's own sqlc
//
// With sqlc mode "queries" only the statements are written, and the service's
// sqlc compiles them. For the generated package to compile, that sqlc.yaml needs
//
//	emit_exported_queries: true
package generator
