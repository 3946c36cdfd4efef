// Package generator turns the event schemas of a project into a Go package.
//
// Config goes in, files or findings come out; nothing is written. The command
// outboxgen is a thin layer over it:
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
// The project file, the schemas that it names and those that they refer to, the
// service's migrations, go.mod (for the import path of the generated package),
// and what lies in the folder of the generated package; where there are
// hand-written files, the go command says which of them belong to it. Generating
// fetches nothing from the network.
//
// # What it finds
//
// A finding has an id that is stable across releases; docs/findings.md lists
// them, with what to write instead.
//
// # The gate
//
// [Check] judges a change: it holds the project on disk against what it was, at
// a git commit, in a folder or in a schema registry. It runs the git command,
// and asks a registry only where one is named.
//
// # What belongs to the generator
//
// Inside the folder of the generated package, the files whose first line is
// [Header]; inside outboxdb below it, also those whose first line is sqlc's own.
// They are replaced, and removed when they are no longer generated. Any other
// file is somebody's work: it is never touched, and one that stands where a
// generated file must go is an error. When out: (or sqlc.queries) in the config
// changes, the old place is not known any more; remove what is there by hand.
//
// # The service's own sqlc
//
// With sqlc mode "queries" only the statements are written, and the service's
// sqlc compiles them. For the generated package to compile, that sqlc.yaml needs
//
//	emit_exported_queries: true
package generator
