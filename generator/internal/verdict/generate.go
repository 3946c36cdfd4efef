package verdict

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// outboxDB is the package of sqlc's code that all generated packages share.
const outboxDB = "github.com/outboxgen/outboxgen/testdata/golden/huleedu/events/outboxdb"

// generate generates the packages of cases, on all processors.
func generate(cases []Case) ([]Outcome, error) {
	outcomes, errs := make([]Outcome, len(cases)), make([]error, len(cases))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(cases)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(cases); i = int(next.Add(1)) - 1 {
				outcomes[i], errs[i] = generateOne(cases[i])
			}
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", cases[i].Name, err)
		}
	}
	return outcomes, nil
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
	if len(files) == 0 && !hasErrors(o.Findings) {
		o.Internal = "no files, and no error that says why"
	}
	return o, nil
}

func hasErrors(findings []finding.Finding) bool {
	for _, f := range findings {
		if f.Severity == finding.Error {
			return true
		}
	}
	return false
}
