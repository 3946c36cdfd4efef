package catalogues_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

var (
	only   = flag.String("only", "", "run the catalogues whose name matches this `regexp`")
	report = flag.String("report", "", "write every failure, with its detail, to this `file`")
)

// Code is generated for every catalogue without changes to it. The code compiles, and
// its types give the same verdicts as an independent validator.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	from, wanted := dir(t), regexp.MustCompile(*only)
	var details strings.Builder
	for _, c := range all {
		if !wanted.MatchString(c.name) {
			continue
		}
		began := time.Now()
		s := run(t, load(t, from, c))
		fmt.Printf("%s (%s): %v; %d s\n", c.name, c.about, s.count, int(time.Since(began).Seconds()))
		for _, f := range s.failures {
			fmt.Fprintf(&details, "%s: %s\n", c.name, f)
		}
		for i, f := range s.failures {
			if i == 20 {
				t.Errorf("%s: and %d more", c.name, len(s.failures)-i)
				break
			}
			t.Errorf("%s: %s", c.name, f)
		}
	}
	if *report != "" {
		if err := os.WriteFile(*report, []byte(details.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// count has the results of a catalogue.
type count struct {
	files, events                         int
	refused, internal, compile, differing int // events, but internal: projects
	documents, valid, undecided, limits   int
	implied                               int // valid documents that are refused because a constraint implies a type
	lines                                 int
}

func (c count) String() string {
	return fmt.Sprintf("%d files, %d events, %d lines of Go; %d refused, %d internal errors, %d do not compile; %d documents, %d of them valid: %d differ, "+
		"%d are beyond Go's types, %d are of no implied type, %d not decided by the validator", c.files, c.events, c.lines, c.refused, c.internal, c.compile,
		c.documents, c.valid, c.differing, c.limits, c.implied, c.undecided)
}

// summary has the results of a catalogue, and why it fails.
type summary struct {
	count
	failures []string
}

func run(t *testing.T, l loaded) *summary {
	t.Helper()
	s := &summary{count: count{files: len(l.texts), events: len(l.events)}}
	v, parsed := newValidators(l)
	files := bundle(parsed)
	made := crossing.NewLarge(files)
	for n := 0; n*most < len(l.events); n++ {
		p := part{fmt.Sprintf("%s %d", l.name, n), &l, l.events[n*most : min(len(l.events), (n+1)*most)]}
		documents := make([][][]byte, len(p.events))
		judges := make([]*jsonschema.Schema, len(p.events))
		for i, e := range p.events {
			var err error
			if judges[i], err = v.of(e); err != nil {
				s.failures = append(s.failures, fmt.Sprintf("%s%s: the validator does not compile it: %v", e.file, e.pointer, err))
				continue
			}
			if documents[i], err = made.Documents(at(files[e.file], e.pointer), judges[i]); err != nil {
				t.Fatal(err)
			}
		}
		s.judge(t, p, documents, judges, v)
	}
	return s
}

// judge generates and runs a part of a catalogue.
func (s *summary) judge(t *testing.T, p part, documents [][][]byte, judges []*jsonschema.Schema, v *validators) {
	t.Helper()
	c := p.caseOf("strict", documents)
	outcomes, err := verdict.Run(t.Context(), t.TempDir(), []verdict.Case{c})
	if err != nil {
		t.Fatal(err)
	}
	o := outcomes[0]
	for _, f := range o.Files {
		s.lines += strings.Count(string(f.Content), "\n")
	}
	refused := map[string]bool{}
	for _, f := range o.Findings {
		if slices.Contains(o.Refused(), f.ID) {
			refused[f.Pos.File] = true
			s.failures = append(s.failures, "refused: "+f.String())
		}
	}
	s.refused += len(refused)
	if o.Internal != "" {
		s.internal++
		s.failures = append(s.failures, "internal error: "+o.Internal)
	}
	broken := map[string]bool{}
	for _, line := range slices.Concat(o.Compile, o.Vet) {
		file, _, _ := strings.Cut(line, ":")
		broken[file] = true
		s.failures = append(s.failures, "does not compile: "+line)
	}
	s.compile += len(broken)
	refusals := s.compareAll(t, p, documents, judges, v, o)
	if len(refusals) == 0 {
		return
	}
	// By the specification, a constraint does not imply a type.
	spec, err := verdict.Run(t.Context(), t.TempDir(), []verdict.Case{p.caseOf("spec", documents)})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range slices.Sorted(maps.Keys(refusals)) {
		a := o.Answers[at]
		if at < len(spec[0].Answers) && spec[0].Answers[at].Refusal() == "" && !strings.Contains(a.Refusal(), "format") {
			s.implied++
			continue
		}
		s.differing++
		s.failures = append(s.failures, refusals[at])
	}
}

// compareAll compares all answers. It returns the numbers of the valid documents that
// are refused; these may be of another type than a constraint implies.
func (s *summary) compareAll(t *testing.T, p part, documents [][][]byte, judges []*jsonschema.Schema, v *validators, o verdict.Outcome) map[int]string {
	t.Helper()
	refused := map[int]string{}
	at := 0
	for i, e := range p.events {
		for _, d := range documents[i] {
			if at >= len(o.Answers) {
				return refused
			}
			switch direction, said := s.compare(t, judges[i], d, o.Answers[at], v); {
			case direction == verdict.Agrees:
			case direction == verdict.RefusesValid && o.NoEvent(p.goName(i)+"V1", d):
				s.limits++
			case direction == verdict.RefusesValid:
				refused[at] = fmt.Sprintf("%s%s: %s: %s", e.file, e.pointer, direction, said)
			default:
				s.differing++
				s.failures = append(s.failures, fmt.Sprintf("%s%s: %s: %s", e.file, e.pointer, direction, said))
			}
			at++
		}
	}
	return refused
}

// compare compares an answer with the validator's. It returns how they differ, unless a
// documented rule explains it.
func (s *summary) compare(t *testing.T, judge *jsonschema.Schema, document []byte, a verdict.Answer, v *validators) (verdict.Direction, string) {
	t.Helper()
	s.documents++
	before := v.undecided
	if verdict.Valid(judge, document) {
		s.valid++
	}
	direction, said, err := verdict.Compare(judge, document, a)
	switch {
	case err != nil:
		t.Fatal(err)
	case direction == verdict.Agrees:
	case v.undecided > before:
		s.undecided++
	case verdict.Documented(direction, document, a):
		s.limits++
	default:
		return direction, said
	}
	return verdict.Agrees, ""
}
