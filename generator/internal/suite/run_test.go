package suite_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// run compiles the code of all groups and runs it on their documents, in both modes. It
// removes groups without code from their projects. If a group has the same code in both
// modes, it is compiled once.
func run(ctx context.Context, dir string, strict []*project) (spec []*project, err error) {
	twins := map[*project]*project{}
	for _, p := range strict {
		if !p.formats { // which are annotations by the specification
			twin := p.bySpec()
			twins[p] = twin
			spec = append(spec, twin)
		}
	}
	if err := generate(slices.Concat(strict, spec)); err != nil {
		return nil, err
	}
	same := map[*project][]*group{}
	for _, p := range strict {
		if twin := twins[p]; twin != nil {
			same[p] = p.sameAs(twin)
			twin.groups = slices.DeleteFunc(twin.groups, func(g *group) bool { return slices.Contains(same[p], g) })
		}
	}
	if err := answer(ctx, dir, slices.Concat(strict, spec)); err != nil {
		return nil, err
	}
	for p, groups := range same {
		for _, g := range groups {
			if why, ok := p.problems[g]; ok {
				twins[p].problems[g] = why
				continue
			}
			twins[p].groups = append(twins[p].groups, g)
			twins[p].answers[g] = p.answers[g]
		}
	}
	return spec, nil
}

// sameAs returns the groups that have the same Go code in another project.
func (p *project) sameAs(other *project) []*group {
	own := map[string]bool{}
	for _, g := range slices.Concat(p.groups, other.groups) {
		own[p.goFile(g)] = true
	}
	for _, files := range []map[string]string{p.files, other.files} {
		for name := range files {
			if shared := !own[name]; shared && p.files[name] != other.files[name] {
				return nil
			}
		}
	}
	var same []*group
	for _, g := range p.groups {
		if text, ok := p.files[p.goFile(g)]; ok && text == other.files[p.goFile(g)] {
			same = append(same, g)
		}
	}
	return same
}

// generate removes from projects everything without Go code, until code is generated
// for the rest.
func generate(projects []*project) error {
	for pending := projects; len(pending) > 0; {
		outcomes, err := verdict.Generate(casesOf(pending))
		if err != nil {
			return err
		}
		var again []*project
		for i, o := range outcomes {
			p := pending[i]
			switch {
			case o.Internal != "":
				culprits, err := p.culprits(p.groups)
				if err != nil {
					return err
				}
				if len(culprits) == 0 {
					return fmt.Errorf("%s: no group alone is to blame: %s", p.name, o.Internal)
				}
				for g, message := range culprits {
					p.drop(g, problem{"internal error", message})
				}
			case len(o.Refused()) > 0:
				if err := p.refuse(o.Findings); err != nil {
					return err
				}
			default:
				p.files = map[string]string{}
				for _, f := range o.Files {
					p.files[f.Path] = string(f.Content)
				}
				continue
			}
			if len(p.groups) > 0 {
				again = append(again, p)
			}
		}
		pending = again
	}
	return nil
}

func casesOf(projects []*project) []verdict.Case {
	cases := make([]verdict.Case, 0, len(projects))
	for _, p := range projects {
		cases = append(cases, p.caseOf(p.groups))
	}
	return cases
}

// culprits returns the groups that cause an internal error when they are generated
// alone.
func (p *project) culprits(groups []*group) (map[*group]string, error) {
	if len(groups) == 0 {
		return nil, nil
	}
	outcomes, err := verdict.Generate([]verdict.Case{p.caseOf(groups)})
	if err != nil || outcomes[0].Internal == "" {
		return nil, err
	}
	if len(groups) == 1 {
		return map[*group]string{groups[0]: outcomes[0].Internal}, nil
	}
	all := map[*group]string{}
	half := len(groups) / 2
	for _, part := range [][]*group{groups[:half], groups[half:]} {
		found, err := p.culprits(part)
		if err != nil {
			return nil, err
		}
		for g, message := range found {
			all[g] = message
		}
	}
	return all, nil
}

// eventName is the name of an event in a message.
var eventName = regexp.MustCompile(`\bG\d{3}V1\b`)

// refuse removes the groups and remotes that findings reject. Groups that refer to a
// removed remote are rejected the next time.
func (p *project) refuse(findings []finding.Finding) error {
	byName := map[string]*group{}
	for _, g := range p.groups {
		byName[p.schema(g)], byName[p.goType(g)] = g, g
	}
	groups, found := slices.Clone(p.groups), false
	for _, f := range findings {
		if f.Severity != finding.Error {
			continue
		}
		g := byName[f.Pos.File]
		if g == nil {
			g = byName[eventName.FindString(f.Message)]
		}
		if line := f.Pos.Line - strings.Count(head, "\n") - 1; f.Pos.File == "outboxgen.yaml" && line >= 0 && line < len(groups) {
			g = groups[line]
		}
		remote := strings.TrimPrefix(f.Pos.File, "remotes/")
		switch {
		case g != nil:
			p.drop(g, problem{"refused at generation: " + f.ID, f.String()})
		case p.remotes[remote] != nil:
			delete(p.remotes, remote)
			p.dropped = append(p.dropped, f.String())
		default:
			continue
		}
		found = true
	}
	if !found {
		return fmt.Errorf("%s: no group is to blame for any of %d findings, such as %v", p.name, len(findings), findings[0])
	}
	return nil
}

// answer compiles and runs projects, and removes the groups whose code does not
// compile.
func answer(ctx context.Context, dir string, projects []*project) error {
	for pending := withGroups(projects); len(pending) > 0; {
		outcomes, err := verdict.Run(ctx, dir, casesOf(pending))
		if err != nil {
			return err
		}
		var again []*project
		for i, o := range outcomes {
			p := pending[i]
			if complaints := slices.Concat(o.Compile, o.Vet); len(complaints) > 0 {
				if err := p.blame(complaints); err != nil {
					return err
				}
				again = append(again, p)
				continue
			}
			answers := o.Answers
			for _, g := range p.groups {
				if len(answers) < len(g.tests) {
					return fmt.Errorf("%s: no answers to %s: %s %v", p.name, g.title, o.Internal, o.Findings)
				}
				p.answers[g], answers = answers[:len(g.tests)], answers[len(g.tests):]
			}
		}
		if err := generate(again); err != nil {
			return err
		}
		pending = withGroups(again)
	}
	return nil
}

func withGroups(projects []*project) []*project {
	return slices.DeleteFunc(slices.Clone(projects), func(p *project) bool { return len(p.groups) == 0 })
}

// blame removes the groups whose code the compiler or vet rejects.
func (p *project) blame(complaints []string) error {
	byFile := map[string]*group{}
	for _, g := range p.groups {
		byFile[p.goFile(g)] = g
	}
	for _, line := range complaints {
		file, message, _ := strings.Cut(line, ":")
		if g := byFile[strings.TrimSpace(file)]; g != nil {
			p.drop(g, problem{"does not compile", message})
		}
	}
	if len(p.groups) == len(byFile) {
		return fmt.Errorf("%s: no group is to blame for what the compiler says:\n%s", p.name, strings.Join(complaints, "\n"))
	}
	return nil
}
