package verdict

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// outboxDB is the package of sqlc's code that all generated packages share.
const outboxDB = "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events/outboxdb"

// Generate generates the packages of cases without compiling them, on all processors.
// Errors are those of Run.
func Generate(cases []Case) ([]Outcome, error) {
	outcomes := make([]Outcome, len(cases))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range cases {
		workers.Go(func() (err error) {
			if outcomes[i], err = generateOne(c); err != nil {
				return fmt.Errorf("case %s: %w", c.Name, err)
			}
			return nil
		})
	}
	return outcomes, workers.Wait()
}

// generateOne generates the package of a case. The error says that its project
// file could not be read.
func generateOne(c Case) (o Outcome, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			o.Internal = fmt.Sprintf("panic: %v\n%s", problem, debug.Stack())
		}
	}()
	project, list, err := schema.LoadFS(c.fsys(), projectFile)
	if err != nil {
		return o, err
	}
	if list.HasErrors() {
		o.Findings = list.Sorted()
		return o, nil
	}
	files, found, err := emit.Package(project, emit.Options{OutboxDB: outboxDB})
	if err != nil {
		o.Internal = err.Error()
	}
	if found != nil {
		list.Add(found.Sorted()...)
	}
	o.Findings = list.Sorted()
	if err != nil || list.HasErrors() {
		return o, nil
	}
	for _, event := range project.Events {
		o.events = append(o.events, event.GoName)
	}
	o.Files = files
	if len(files) == 0 {
		o.Internal = "no files, and no error that says why"
	}
	return o, nil
}
