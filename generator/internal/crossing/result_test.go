package crossing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// Kind is a way in which a schema can fail.
type Kind string

// The kinds besides the directions of package verdict.
const (
	Internal  Kind = "internal error"
	NoCompile Kind = "does not compile"
	Vetted    Kind = "go vet"
)

// refusal returns the kind of schemas that were refused with these findings.
func refusal(ids []string) Kind { return Kind("refused: " + strings.Join(ids, ", ")) }

// Failure is one kind of failure of a schema.
type Failure struct {
	Schema Schema
	Kind   Kind
	// Detail is the first message or document that shows it.
	Detail string

	wrong  []verdict.Document // those that are wrongly refused or accepted, if that is the Kind
	byRule Kind               // the rule that may be the reason
}

// Count has the numbers of a run.
type Count struct{ Schemas, Documents, Valid int }

// Add adds up counts.
func (c Count) Add(d Count) Count {
	return Count{c.Schemas + d.Schemas, c.Documents + d.Documents, c.Valid + d.Valid}
}

func (c Count) String() string {
	return fmt.Sprintf("%d schemas, %d documents, %d of them valid", c.Schemas, c.Documents, c.Valid)
}

// Run runs schemas with package verdict, and returns their failures: each kind once for
// a schema, in the order of the schemas.
func Run(ctx context.Context, dir string, schemas []Schema) ([]Failure, Count, error) {
	return run(ctx, dir, schemas, verdict.Run)
}

// RunShared is Run in a fraction of the time: schemas share packages. So it does not
// notice a helper or an import that is missing, or unused, in the package of one schema
// alone.
func RunShared(ctx context.Context, dir string, schemas []Schema) ([]Failure, Count, error) {
	return run(ctx, dir, schemas, verdict.RunSchemas)
}

func run(ctx context.Context, dir string, schemas []Schema,
	take func(context.Context, string, []verdict.Case) ([]verdict.Outcome, error),
) ([]Failure, Count, error) {
	var count Count
	cases, validators := make([]verdict.Case, len(schemas)), make([]*jsonschema.Schema, len(schemas))
	for i, s := range schemas {
		validator, err := verdict.Validator(s.Text, WithPatterns)
		if err != nil {
			return nil, count, fmt.Errorf("%s: the validator: %w\n%s", s.Name(), err, s.Text)
		}
		documents, err := Documents(s.Text, validator)
		if err != nil {
			return nil, count, fmt.Errorf("%s: documents: %w", s.Name(), err)
		}
		cases[i], validators[i] = verdict.ForSchema(s.Name(), s.Text), validator
		for _, d := range documents {
			cases[i].Documents = append(cases[i].Documents, verdict.Document{JSON: d})
		}
	}
	outcomes, err := take(ctx, dir, cases)
	if err != nil {
		return nil, count, err
	}
	var out []Failure
	for i, o := range outcomes {
		failures, valid, err := judge(schemas[i], cases[i], o, validators[i])
		if err != nil {
			return nil, count, err
		}
		out = append(out, failures...)
		count = count.Add(Count{1, len(o.Answers), valid})
	}
	return out, count, settle(ctx, dir, out)
}

// judge returns how a schema fails, and how many of its documents were valid.
func judge(s Schema, c verdict.Case, o verdict.Outcome, validator *jsonschema.Schema) (out []Failure, valid int, err error) {
	add := func(kind Kind, detail string) *Failure {
		i := slices.IndexFunc(out, func(f Failure) bool { return f.Kind == kind })
		if i < 0 {
			i, out = len(out), append(out, Failure{Schema: s, Kind: kind, Detail: detail})
		}
		return &out[i]
	}
	if ids := o.Refused(); len(ids) > 0 {
		var lines []string
		for _, f := range o.Findings {
			lines = append(lines, f.String())
		}
		add(refusal(ids), strings.Join(lines, "\n\t"))
	}
	if o.Internal != "" {
		add(Internal, o.Internal)
	}
	if len(o.Compile) > 0 {
		add(NoCompile, strings.Join(o.Compile, "\n\t"))
	}
	if len(o.Vet) > 0 {
		add(Vetted, strings.Join(o.Vet, "\n\t"))
	}
	for i, a := range o.Answers {
		direction, detail, err := verdict.Compare(validator, c.Documents[i].JSON, a)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", s.Name(), err)
		}
		if direction != verdict.Agrees {
			kind := kindOf(direction, c.Documents[i].JSON, a)
			if kind == Kind(verdict.RefusesValid) && o.NoEvent("", c.Documents[i].JSON) {
				kind = NoEvent
			}
			f := add(kind, detail)
			if f.Kind == Kind(verdict.RefusesValid) || f.Kind == Kind(verdict.AcceptsInvalid) {
				f.wrong, f.byRule = append(f.wrong, c.Documents[i]), byRule(s, o)
			}
		}
		if a.Refusal() == "" && direction != verdict.AcceptsInvalid || direction == verdict.RefusesValid {
			valid++
		}
	}
	slices.SortStableFunc(out, func(a, b Failure) int { return cmp.Compare(a.Kind, b.Kind) })
	return out, valid, nil
}
