package generator

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/registry"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// RegisterConfig says which schemas to register, and where.
type RegisterConfig struct {
	Config

	// Registry is the address of a schema registry with Confluent's API, http or
	// https. Required.
	Registry string
	// Types are the event types to register. Default: all events of the project.
	Types []string
	// DryRun asks the registry whether it would accept the schemas, and changes
	// nothing.
	DryRun bool
	// SetLevel sets the compatibility level of each subject to the level of its event.
	SetLevel bool
	// Env returns the environment variables SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO and
	// SCHEMA_REGISTRY_BEARER_TOKEN. Default: none are set.
	Env func(string) string
}

// RegisterState is the result for a schema.
type RegisterState string

// The states of a schema.
const (
	Registered   RegisterState = "registered"   // it is a new version
	Unchanged    RegisterState = "unchanged"    // the registry has it
	WouldAdd     RegisterState = "new"          // it would become a new version
	Incompatible RegisterState = "incompatible" // the registry refuses it
	NotTried     RegisterState = "not tried"    // the registry refuses another one
)

// RegisteredSchema is the result for the schema of one event.
type RegisteredSchema struct {
	Type    string        `json:"type"`
	Subject string        `json:"subject"`
	State   RegisterState `json:"state"`
	// Version and ID are the registry's; 0 if it does not have the schema.
	Version int `json:"version,omitempty"`
	ID      int `json:"id,omitempty"`
	// Level is the compatibility level of the subject before, and NewLevel the one that
	// was set, or would be. Both are "" without RegisterConfig.SetLevel.
	Level    string `json:"level,omitempty"`
	NewLevel string `json:"new_level,omitempty"`
	// Reasons are the registry's reasons for refusing the schema.
	Reasons []string `json:"reasons,omitempty"`

	event  *schema.Event
	schema sr.Schema
	exists bool // the subject does
}

// RegisterResult is the result of Register.
type RegisterResult struct {
	Result

	// Registry is the address without user and password.
	Registry string
	// Schemas are sorted by event type; empty if Findings has an error.
	Schemas []RegisteredSchema
}

// Failed reports whether the project has an error, or the registry refuses a schema.
func (r *RegisterResult) Failed() bool {
	return r.Result.Failed() || slices.ContainsFunc(r.Schemas, func(s RegisteredSchema) bool { return s.State == Incompatible })
}

// Register registers the schemas of a project's events: for each event one
// self-contained JSON Schema of the record's value. It first asks the registry about
// every schema and its subject's latest version; if it refuses one, none is registered.
// If it refuses one only when that is registered, as at a transitive level, those after
// it are not registered. Register returns an error if it could not finish: no project
// file, two events with one subject, no answer from the registry.
func Register(ctx context.Context, cfg RegisterConfig) (*RegisterResult, error) {
	cfg.Config = cfg.withDefaults()
	if cfg.Env == nil {
		cfg.Env = func(string) string { return "" }
	}
	l, err := load(cfg.Config)
	if err != nil {
		return nil, err
	}
	client, err := registry.Connect(l.project.Config.Compat.Subjects, cfg.Registry, cfg.Env)
	if err != nil {
		return nil, err
	}
	result := &RegisterResult{Result: *l.result(), Registry: client.Name}
	if l.list.HasErrors() {
		return result, nil
	}
	p := &publisher{client: client, cfg: cfg}
	if result.Schemas, err = p.schemas(l.project); err != nil {
		return nil, err
	}
	if err := p.judge(ctx, result.Schemas); err != nil {
		return nil, client.Redacted(err)
	}
	if cfg.DryRun {
		return result, nil
	}
	return result, p.register(ctx, result)
}

// publisher is one call of Register.
type publisher struct {
	client *registry.Client
	cfg    RegisterConfig
}

// schemas makes the schemas to register.
func (p *publisher) schemas(project *schema.Project) ([]RegisteredSchema, error) {
	var all []RegisteredSchema
	owner := map[string]string{}
	types := slices.Clone(p.cfg.Types)
	chosen := func(eventType string) bool { return len(p.cfg.Types) == 0 || slices.Contains(p.cfg.Types, eventType) }
	for _, e := range project.Events {
		if e.Consumed {
			continue // its publisher registers it
		}
		types = slices.DeleteFunc(types, func(t string) bool { return t == e.Type })
		subject, err := p.client.Subject(e)
		if err != nil && chosen(e.Type) {
			return nil, err
		}
		if err != nil {
			continue
		}
		// The other event counts although it is not registered now: each would replace
		// the schema of the other one.
		if other, taken := owner[subject]; taken && (chosen(e.Type) || chosen(other)) {
			return nil, fmt.Errorf("the events %s and %s have the same subject, %s, and readers expect one schema in a subject; "+
				"give them different topics or titles, or set compat.subjects to topic-record", other, e.Type, subject)
		}
		owner[subject] = e.Type
		if !chosen(e.Type) {
			continue
		}
		document, err := bundle.Record(e)
		if err != nil {
			return nil, err
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, document); err != nil {
			return nil, fmt.Errorf("the schema of %s: %w", e.Type, err)
		}
		all = append(all, RegisteredSchema{
			Type: e.Type, Subject: subject, event: e, State: WouldAdd,
			schema: sr.Schema{Schema: compact.String(), Type: sr.TypeJSON},
		})
	}
	if len(types) > 0 {
		return nil, fmt.Errorf("the project has no event of type %s", strings.Join(types, ", "))
	}
	slices.SortFunc(all, func(a, b RegisteredSchema) int { return cmp.Compare(a.Type, b.Type) })
	return all, nil
}

// judge asks the registry about every schema.
func (p *publisher) judge(ctx context.Context, all []RegisteredSchema) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(registry.AtOnce)
	for i := range all {
		group.Go(func() error { return p.judgeOne(ctx, &all[i]) })
	}
	return group.Wait()
}

func (p *publisher) judgeOne(ctx context.Context, s *RegisteredSchema) error {
	latest, err := p.client.API.SchemaByVersion(ctx, s.Subject, -1)
	if err != nil && !registry.NotFound(err) {
		return p.client.Failed("to read the subject "+s.Subject, err)
	}
	s.exists = err == nil
	if err := p.level(ctx, s); err != nil {
		return err
	}
	if !s.exists {
		return nil
	}
	if latest.Type != sr.TypeJSON {
		s.State, s.Reasons = Incompatible, []string{fmt.Sprintf("the subject has a schema of type %s, not a JSON Schema; use another topic, or delete the subject if no consumer needs it", latest.Type)}
		return nil
	}
	known, err := p.client.API.LookupSchema(ctx, s.Subject, s.schema)
	switch {
	case err == nil:
		s.State, s.Version, s.ID = Unchanged, known.Version, known.ID
		return nil
	case !registry.NotFound(err):
		return p.client.Failed("to look the schema up in the subject "+s.Subject, err)
	}
	verdict, cause := p.client.API.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), s.Subject, -1, s.schema)
	if cause != nil {
		err = p.client.Failed("to check the compatibility with the subject "+s.Subject, cause)
		if failed, ok := errors.AsType[*sr.ResponseError](cause); ok && failed.StatusCode >= http.StatusInternalServerError {
			err = fmt.Errorf("%w; if this registry cannot compare schemas of JSON Schema 2020-12, set the compatibility level of the subject to NONE, and compare with outboxgen check", err)
		}
		return err
	}
	if !verdict.Is {
		for i, reason := range verdict.Messages {
			verdict.Messages[i] = p.client.Redacted(errors.New(reason)).Error()
		}
		s.refused(verdict.Messages...)
	}
	return nil
}

func (s *RegisteredSchema) refused(reasons ...string) {
	s.State = Incompatible
	for _, reason := range reasons {
		s.Reasons = append(s.Reasons, finding.Printable(strings.Join(strings.Fields(reason), " ")))
	}
}

// level reads the compatibility level of a subject, and compares it with the event's.
func (p *publisher) level(ctx context.Context, s *RegisteredSchema) error {
	if !p.cfg.SetLevel {
		return nil
	}
	now := p.client.API.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), s.Subject)[0]
	if registry.NotFound(now.Err) {
		now = p.client.API.Compatibility(ctx)[0]
	}
	if now.Err != nil {
		return p.client.Failed("for the compatibility level of the subject "+s.Subject, now.Err)
	}
	s.Level = now.Level.String()
	if want := s.event.Compat.Level; want != s.Level {
		s.NewLevel = want
	}
	return nil
}

// register registers the new schemas. If the registry refuses one, the rest is not
// tried.
func (p *publisher) register(ctx context.Context, result *RegisterResult) error {
	for i := range result.Schemas {
		s := &result.Schemas[i]
		if s.State == WouldAdd && result.Failed() { // perhaps only since the registry got the schema before it
			s.State = NotTried
		}
		if s.State == NotTried || s.State == Incompatible {
			s.NewLevel = ""
			continue
		}
		if s.exists { // the level holds for the new version
			if err := p.setLevel(ctx, s); err != nil {
				return err
			}
		}
		if s.State == WouldAdd {
			if err := p.add(ctx, s); err != nil {
				return err
			}
		}
		if !s.exists && s.State == Registered {
			if err := p.setLevel(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *publisher) add(ctx context.Context, s *RegisteredSchema) error {
	added, err := p.client.API.CreateSchema(ctx, s.Subject, s.schema)
	if failed, ok := errors.AsType[*sr.ResponseError](err); ok && failed.StatusCode == http.StatusConflict {
		s.refused(p.client.Redacted(failed).Error())
		return nil
	}
	if err != nil {
		return p.client.Redacted(p.client.Failed("to register a schema in the subject "+s.Subject, err))
	}
	s.State, s.Version, s.ID = Registered, added.Version, added.ID
	return nil
}

func (p *publisher) setLevel(ctx context.Context, s *RegisteredSchema) error {
	if s.NewLevel == "" {
		return nil
	}
	var level sr.CompatibilityLevel
	if err := level.UnmarshalText([]byte(s.NewLevel)); err != nil {
		return fmt.Errorf("the compatibility level %s: %w", s.NewLevel, err)
	}
	set := p.client.API.SetCompatibility(ctx, sr.SetCompatibility{Level: level}, s.Subject)[0]
	if set.Err != nil {
		return p.client.Redacted(p.client.Failed("to set the compatibility level of the subject "+s.Subject, set.Err))
	}
	return nil
}

// RegisterFormats lists the formats of RegisterResult.Write: text, json, and relay, the
// setting registry_subjects of outboxrelay.
func RegisterFormats() []string { return []string{"text", "json", "relay"} }

// Write writes the result in one of RegisterFormats. It returns the writer's error.
func (r *RegisterResult) Write(w io.Writer, format string) error {
	var b bytes.Buffer
	switch format {
	case "json":
		to := json.NewEncoder(&b)
		to.SetEscapeHTML(false)
		to.SetIndent("", "  ")
		if err := to.Encode(map[string]any{"registry": r.Registry, "schemas": r.Schemas}); err != nil {
			return err
		}
	case "relay":
		b.WriteString("registry_subjects:\n")
		for _, s := range r.Schemas {
			fmt.Fprintf(&b, "  - %s=%s\n", s.Type, s.Subject)
		}
	default:
		for _, s := range r.Schemas {
			s.text(&b)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (s RegisteredSchema) text(b *bytes.Buffer) {
	fmt.Fprintf(b, "%s: %s", s.Subject, map[RegisterState]string{
		Registered:   fmt.Sprintf("registered as version %d, id %d", s.Version, s.ID),
		Unchanged:    fmt.Sprintf("unchanged, version %d, id %d", s.Version, s.ID),
		WouldAdd:     "new; it would be registered",
		Incompatible: "the registry refuses the schema",
		NotTried:     "not registered, because the registry refuses another schema",
	}[s.State])
	if s.NewLevel != "" {
		fmt.Fprintf(b, "; compatibility level %s instead of %s", s.NewLevel, s.Level)
	}
	fmt.Fprintf(b, " (%s)\n", s.Type)
	for _, reason := range s.Reasons {
		fmt.Fprintf(b, "  %s\n", reason)
	}
}
