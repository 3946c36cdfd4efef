package baseline

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/registry"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// maxReferences is how many schemas one schema can refer to.
const maxReferences = 1000

// Registry reads the versions of each event from a schema registry with Confluent's
// API. Neither a finding nor an error contains the password, whatever the server sends.
func Registry(ctx context.Context, now *schema.Project, address string, env func(string) string) (*Baseline, error) {
	client, err := registry.Connect(now.Config.Compat.Subjects, address, env)
	if err != nil {
		return nil, err
	}
	r := &registered{client}
	events := slices.DeleteFunc(slices.Clone(now.Events), func(e *schema.Event) bool {
		return e == nil || e.Schema == nil || e.Consumed || e.Compat.Level == "NONE"
	})
	known := make([]versions, len(events))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(registry.AtOnce)
	for i, e := range events {
		group.Go(func() error {
			var err error
			known[i], err = r.versions(ctx, e)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, r.Redacted(err)
	}
	b := &Baseline{Name: r.Name, Registered: map[*schema.Event][]contract.Before{}}
	for i, e := range events {
		b.Registered[e] = known[i].before
		b.Findings = append(b.Findings, known[i].findings...)
	}
	return b, nil
}

// registered reads what a registry has.
type registered struct{ *registry.Client }

// versions has the registered versions of one event.
type versions struct {
	before   []contract.Before
	findings []finding.Finding
}

func (r *registered) versions(ctx context.Context, e *schema.Event) (versions, error) {
	var v versions
	subject, err := r.Subject(e)
	if err != nil {
		return v, err
	}
	var known []sr.SubjectSchema
	if strings.HasSuffix(e.Compat.Level, "_TRANSITIVE") {
		known, err = r.API.Schemas(ctx, subject)
	} else {
		known = make([]sr.SubjectSchema, 1)
		known[0], err = r.API.SchemaByVersion(ctx, subject, -1)
	}
	if registry.NotFound(err) {
		return v, nil // never registered
	}
	if err != nil {
		return v, r.Failed("to read the subject "+subject, err)
	}
	for _, s := range known {
		if s.Type != sr.TypeJSON {
			v.findings = []finding.Finding{contract.Found("schema-type-changed", e.Type, e.Place("topic"),
				fmt.Sprintf("the registry has a schema of type %s under the subject %s, not a JSON Schema", s.Type, finding.Quote(subject)))}
			continue
		}
		before, broken, err := r.load(ctx, e, s)
		if err != nil {
			return v, err
		}
		if broken != nil {
			v.findings = append(v.findings, *broken)
			continue
		}
		v.before = append(v.before, before)
	}
	return v, nil
}

// load reads a registered schema with those that it refers to.
func (r *registered) load(ctx context.Context, e *schema.Event, s sr.SubjectSchema) (contract.Before, *finding.Finding, error) {
	files := memory{}
	names := map[string]string{} // what a report calls the files
	libraries := map[string]string{}
	add := func(s sr.SubjectSchema) string {
		file := fmt.Sprintf("%d.json", len(files))
		files[file] = []byte(s.Schema.Schema)
		names[file] = fmt.Sprintf("subjects/%s/versions/%d", url.PathEscape(s.Subject), s.Version)
		return file
	}
	main := add(s)
	for open := slices.Clone(s.References); len(open) > 0; {
		reference := open[0]
		open = open[1:]
		if _, ok := libraries[reference.Name]; ok {
			continue
		}
		if len(files) > maxReferences {
			return contract.Before{}, nil, fmt.Errorf("%s refers to more than %d schemas", names[main], maxReferences)
		}
		library, err := r.API.SchemaByVersion(ctx, reference.Subject, reference.Version)
		if err != nil {
			return contract.Before{}, nil, r.Failed(fmt.Sprintf("to read version %d of the subject %s", reference.Version, reference.Subject), err)
		}
		libraries[reference.Name] = add(library)
		open = append(open, library.References...)
	}
	name := func(file string) string { return names[file] }
	project, list, err := schema.LoadGuessing(func(dialect schema.Dialect) (*schema.Project, *finding.List, error) {
		return schema.LoadRegistered(files, main, dialect, libraries)
	})
	if err != nil {
		return contract.Before{}, nil, fmt.Errorf("%s: %w", names[main], err)
	}
	d := project.Document(main)
	if list.HasErrors() || d == nil || d.Root == nil {
		message := "it is not a schema"
		for _, f := range list.Sorted() {
			if f.Severity == finding.Error {
				f.Pos.File = name(f.Pos.File)
				message = f.String()
				break
			}
		}
		f := contract.Found("earlier-unreadable", e.Type, e.Schema.Pos, "the schema in the registry cannot be read, so changes against it are not checked: "+message)
		return contract.Before{}, &f, nil
	}
	return contract.Before{Schema: dataOf(e, d.Root), Name: name}, nil, nil
}

// dataOf returns the schema of the event data in a registered schema. What outboxgen
// register wrote is the schema of the record's value: the envelope around the data.
func dataOf(e *schema.Event, root *schema.Schema) *schema.Schema {
	around := map[string][]string{
		"outbox":      {"event_id", "event_type", "data"},
		"cloudevents": {"specversion", "id", "type", "data"},
	}[e.Envelope]
	for _, name := range around {
		if !root.Requires(name) {
			return root
		}
	}
	for _, p := range root.Properties {
		if p.Name == "data" && around != nil && p.Schema.Ref != nil && p.Schema.Ref.Target != nil {
			return p.Schema.Ref.Target
		}
	}
	return root
}
