package baseline

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/generator/internal/check/contract"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// UserInfo is the environment variable with the user and password for the registry, as
// for Confluent's own tools: user:password.
const UserInfo = "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO"

const (
	registryTimeout = 30 * time.Second // of one request
	registryAtOnce  = 8                // requests at the same time
	maxResponse     = 16 << 20         // bytes of one answer
	maxReferences   = 1000             // schemas that one schema refers to
)

// Registry reads the versions of each event from a schema registry with Confluent's
// API. Neither a finding nor an error contains the password, whatever the server sends.
func Registry(ctx context.Context, now *schema.Project, address string, env func(string) string) (*Baseline, error) {
	r, err := connect(now, address, env)
	if err != nil {
		return nil, err
	}
	events := slices.DeleteFunc(slices.Clone(now.Events), func(e *schema.Event) bool {
		return e == nil || e.Schema == nil || e.Compat.Level == "NONE"
	})
	known := make([]versions, len(events))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(registryAtOnce)
	for i, e := range events {
		group.Go(func() error {
			var err error
			known[i], err = r.versions(ctx, e)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, r.redacted(err)
	}
	b := &Baseline{Name: r.name, Registered: map[*schema.Event][]contract.Before{}}
	for i, e := range events {
		b.Registered[e] = known[i].before
		b.Findings = append(b.Findings, known[i].findings...)
	}
	return b, nil
}

// registry is a client of one registry.
type registry struct {
	client  *sr.Client
	name    string   // its address without user and query
	secrets []string // texts that must not be shown
	naming  string
}

func connect(now *schema.Project, address string, env func(string) string) (*registry, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || cutShort(address) {
		// The address is not repeated, nor the parser's error, because they may contain
		// a password.
		return nil, errors.New("the address of the registry must have the form https://host:port; " +
			"percent-encode characters such as / : @ # % in the user and the password, or set both in " + UserInfo)
	}
	r := &registry{name: (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}).String(), naming: now.Config.Compat.Subjects}
	opts := []sr.ClientOpt{sr.URLs(r.name), sr.UserAgent("outboxgen"), sr.HTTPClient(&http.Client{
		Timeout: registryTimeout, Transport: bounded{http.DefaultTransport}, CheckRedirect: stay,
	})}
	user, password, ok := "", "", false
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
		ok = true
	} else if info := env(UserInfo); info != "" {
		user, password, ok = strings.Cut(info, ":")
		if !ok {
			return nil, fmt.Errorf("%s must have the form user:password", UserInfo)
		}
	}
	if ok {
		opts = append(opts, sr.BasicAuth(user, password))
		r.secrets = secrets(user, password)
	}
	if r.client, err = sr.NewClient(opts...); err != nil {
		return nil, r.redacted(fmt.Errorf("connect to the registry: %w", err))
	}
	return r, nil
}

// cutShort reports whether a / ? or # in a password may have ended it: an @ follows.
func cutShort(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.Contains(rest[end:], "@")
}

// secrets returns the forms in which a server may repeat the password.
func secrets(user, password string) []string {
	var all []string
	for _, form := range []string{
		base64.StdEncoding.EncodeToString([]byte(user + ":" + password)), base64.URLEncoding.EncodeToString([]byte(user + ":" + password)),
		url.UserPassword("", password).String()[1:], url.QueryEscape(password), url.PathEscape(password),
		base64.StdEncoding.EncodeToString([]byte(password)), fmt.Sprintf("%q", password), password,
	} {
		if form = strings.Trim(form, `"`); form != "" {
			all = append(all, form)
		}
	}
	// The longest first, so that no part of one is left over.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// redacted returns err without secrets. The result does not wrap err, which has them.
func (r *registry) redacted(err error) error {
	text := err.Error()
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, "*****")
	}
	// A server may have encoded it in its own way, several times.
	for plain, i := text, 0; i < 3; i++ {
		plain = html.UnescapeString(percent.ReplaceAllStringFunc(plain, func(code string) string {
			decoded, _ := url.PathUnescape(code)
			return decoded
		}))
		for _, secret := range r.secrets {
			if holdsPart(plain, secret) || holdsPart(strings.ReplaceAll(plain, "+", " "), secret) {
				return fmt.Errorf("the registry %s failed; its message contains the password and is not shown", r.name)
			}
		}
	}
	return errors.New(text)
}

// holdsPart reports whether the text contains the secret or a long part of it.
func holdsPart(text, secret string) bool {
	const long = 10
	if len(secret) <= long {
		return strings.Contains(text, secret)
	}
	for i := range len(secret) - long + 1 {
		if strings.Contains(text, secret[i:i+long]) {
			return true
		}
	}
	return false
}

var percent = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// stay refuses redirects to another host, or away from https.
func stay(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > 3 || next.URL.Host != first.Host || first.Scheme == "https" && next.URL.Scheme != "https" {
		return errors.New("the registry redirects to another address; redirects are not followed")
	}
	return nil
}

// bounded limits the size of answers.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(request)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxResponse)
	}
	return response, err // a transport passes errors on
}

// subject returns the registry's subject for an event.
func (r *registry) subject(e *schema.Event) (string, error) {
	if r.naming == "topic" {
		return e.Topic + "-value", nil
	}
	if e.Schema.Title == "" {
		return "", fmt.Errorf("compat.subjects is %s, which names a subject by the title of the schema, but the schema of %s has no title", r.naming, e.Type)
	}
	if r.naming == "topic-record" {
		return e.Topic + "-" + e.Schema.Title, nil
	}
	return e.Schema.Title, nil
}

// versions has the registered versions of one event.
type versions struct {
	before   []contract.Before
	findings []finding.Finding
}

func (r *registry) versions(ctx context.Context, e *schema.Event) (versions, error) {
	var v versions
	subject, err := r.subject(e)
	if err != nil {
		return v, err
	}
	var known []sr.SubjectSchema
	if strings.HasSuffix(e.Compat.Level, "_TRANSITIVE") {
		known, err = r.client.Schemas(ctx, subject)
	} else {
		known = make([]sr.SubjectSchema, 1)
		known[0], err = r.client.SchemaByVersion(ctx, subject, -1)
	}
	if notFound(err) {
		return v, nil // never registered
	}
	if err != nil {
		return v, r.failed("the subject "+subject, err)
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

// notFound reports whether the registry has no such subject or version.
func notFound(err error) bool {
	var failed *sr.ResponseError
	return errors.As(err, &failed) && (failed.ErrorCode == sr.ErrSubjectNotFound.Code || failed.ErrorCode == sr.ErrVersionNotFound.Code)
}

// load reads a registered schema with those that it refers to.
func (r *registry) load(ctx context.Context, e *schema.Event, s sr.SubjectSchema) (contract.Before, *finding.Finding, error) {
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
		library, err := r.client.SchemaByVersion(ctx, reference.Subject, reference.Version)
		if err != nil {
			return contract.Before{}, nil, r.failed(fmt.Sprintf("version %d of the subject %s", reference.Version, reference.Subject), err)
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
	return contract.Before{Schema: d.Root, Name: name}, nil, nil
}

// failed returns an error that says what failed at the registry, and what to do.
func (r *registry) failed(what string, err error) error {
	var failed *sr.ResponseError
	switch {
	case !errors.As(err, &failed):
		return fmt.Errorf("ask the registry %s for %s: %w", r.name, what, cause(err))
	case failed.StatusCode == http.StatusUnauthorized || failed.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the registry %s does not allow this user to read %s (%d); set user:password in %s", r.name, what, failed.StatusCode, UserInfo)
	}
	message := strings.Join(strings.Fields(r.redacted(failed).Error()), " ") // before it is cut
	const most = 200
	if runes := []rune(message); len(runes) > most {
		message = string(runes[:most]) + "…"
	}
	return fmt.Errorf("ask the registry %s for %s: %d: %s", r.name, what, failed.StatusCode, finding.Printable(message))
}

// cause returns err without the address, which the message has already.
func cause(err error) error {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		return inURL.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the response is incomplete")
	}
	return err
}
