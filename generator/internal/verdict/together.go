package verdict

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// together is how many schemas share a package in RunSchemas: the compiler then reads
// the imports once for all of them.
const together = 25

// RunSchemas is Run for cases of ForSchema, but several times faster: many schemas are
// the events of one package. If anything is wrong with a package, its cases run again
// one by one, so the problem is reported for its case. Only file paths in errors about
// a document begin with the number of the case in its package. A fault that only a
// package of one schema has, such as an unused import, stays hidden.
func RunSchemas(ctx context.Context, dir string, cases []Case) ([]Outcome, error) {
	if name, twice := repeated(cases); twice {
		return nil, fmt.Errorf("two cases are called %q", name)
	}
	var packages [][]int // the indexes of the cases in each package
	last := map[string]int{}
	for i, c := range cases {
		settings := string(c.Files[projectFile])
		at, ok := last[settings]
		if !ok || len(packages[at]) == together {
			at, packages = len(packages), append(packages, nil)
			last[settings] = at
		}
		packages[at] = append(packages[at], i)
	}
	merged := make([]Case, len(packages))
	for p, members := range packages {
		merged[p] = mergedCase(cases, members)
	}
	shared, err := Run(ctx, dir, merged)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(cases))
	var alone []int
	for p, members := range packages {
		if !shared[p].clean() {
			alone = append(alone, members...)
			continue
		}
		answers := shared[p].Answers
		for k, i := range members {
			n := len(cases[i].Documents)
			outcomes[i] = shared[p].member(k)
			outcomes[i].Answers, answers = answers[:n:n], answers[n:]
		}
	}
	single := make([]Case, len(alone))
	for k, i := range alone {
		single[k] = cases[i]
	}
	found, err := Run(ctx, dir, single)
	if err != nil {
		return nil, err
	}
	for k, i := range alone {
		outcomes[i] = found[k]
	}
	return outcomes, nil
}

// mergedCase returns a case with the schemas and documents of all members.
func mergedCase(cases []Case, members []int) Case {
	settings, _, _ := strings.Cut(string(cases[members[0]].Files[projectFile]), eventsLine)
	config := settings + eventsLine
	c := Case{Name: cases[members[0]].Name + " and others", Files: map[string][]byte{}}
	for k, i := range members {
		file := path.Join(folderOf(k), SchemaFile)
		config += eventEntry(file, fmt.Sprintf("Thing%d", k))
		c.Files[file] = cases[i].Files[SchemaFile]
		for _, d := range cases[i].Documents {
			c.Documents = append(c.Documents, Document{Event: eventOf(k), JSON: d.JSON})
		}
	}
	c.Files[projectFile] = []byte(config)
	return c
}

// folderOf and eventOf are the folder and the Go name of the k-th schema of a
// package.
func folderOf(k int) string { return fmt.Sprintf("schema%d", k) }
func eventOf(k int) string  { return fmt.Sprintf("Thing%dV1", k) }

// clean reports whether a package has no problems.
func (o Outcome) clean() bool {
	return len(o.Refused())+len(o.Compile)+len(o.Vet) == 0 && o.Internal == "" &&
		!slices.ContainsFunc(o.Answers, func(a Answer) bool { return a.Crashed != "" })
}

// member returns the part of a package's outcome for its k-th schema, without answers.
func (o Outcome) member(k int) Outcome {
	m := Outcome{events: []string{eventOf(k)}}
	for _, f := range o.Findings {
		if file, ok := strings.CutPrefix(f.Pos.File, folderOf(k)+"/"); ok {
			f.Pos = finding.Pos{File: file, Line: f.Pos.Line, Col: f.Pos.Col}
		} else if f.Pos.File != projectFile || !strings.Contains(f.Message, " "+eventOf(k)+" ") {
			continue
		}
		m.Findings = append(m.Findings, f)
	}
	return m
}
