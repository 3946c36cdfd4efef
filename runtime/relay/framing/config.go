package framing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// Mode says where the schema id goes.
type Mode string

const (
	// Prefix puts a byte 0 and the id, four bytes, before the value. Every
	// deserialiser of a schema registry can read it.
	Prefix Mode = "prefix"
	// Header puts the id into the header __value_schema_id and leaves the value as
	// it is. Confluent's clients from 2025 on can read it, and so can every reader of
	// plain JSON. The id is the schema's GUID, or the number if the registry knows no
	// GUIDs.
	Header Mode = "header"
)

// Modes lists the modes.
func Modes() []Mode { return []Mode{Prefix, Header} }

// DefaultSubject is the subject of a topic's values, as Confluent's serialisers name
// it by default.
const DefaultSubject = "{topic}-value"

// DefaultRefresh is the default of Config.Refresh.
const DefaultRefresh = time.Minute

// Config says how to find schema ids.
type Config struct {
	// Registry is the address of a schema registry with Confluent's API, such as
	// https://registry.example.com or http://apicurio:8080/apis/ccompat/v7. Required;
	// a user or a password in it is an error.
	Registry string
	// User and Password are for basic authentication; Token is a bearer token. Give
	// one or the other, or neither. They are in no error and no log line, unless the
	// registry repeats them.
	User, Password, Token string
	// Credentials returns them for each request instead, for credentials that change, such
	// as the content of a file. Several goroutines may call it. Default nil: User, Password
	// and Token.
	Credentials func(context.Context) (Credentials, error)
	// Mode says where the id goes. Required.
	Mode Mode
	// Subject is the subject of an event: {topic} and {type} in it stand for the
	// row's topic and event type. Default: DefaultSubject.
	Subject string
	// Subjects has the subjects of event types that Subject does not fit, by event
	// type, such as those that have the name of a record.
	Subjects map[string]string
	// Refresh is the time after which the registry is asked again for the newest
	// version of a subject; the known id stays in use until it answers. Default:
	// DefaultRefresh. Less than 0: never.
	Refresh time.Duration
	// Client sends the requests. Default: one with the transport of
	// http.DefaultClient that follows no redirects. A request takes 5 s at most.
	Client *http.Client
	// Logger gets a line when the registry stops answering and when it answers again.
	// Default: slog.Default().
	Logger *slog.Logger
}

// Credentials are a user with a password, or a bearer token, or neither.
type Credentials struct{ User, Password, Token string }

// errAddress does not repeat the address, which may hold a password.
var errAddress = errors.New("framing: Config.Registry is not of the form https://host:port/path, without a user and a query; " +
	"the user and the password belong into Config.User and Config.Password")

func (c Config) withDefaults() (Config, error) {
	u, err := url.Parse(c.Registry)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "@") {
		return c, errAddress
	}
	c.Registry = strings.TrimSuffix(u.String(), "/")
	switch {
	case c.Mode != Prefix && c.Mode != Header:
		return c, fmt.Errorf("framing: Config.Mode is %q: use %s or %s", c.Mode, Prefix, Header)
	case c.Token != "" && (c.User != "" || c.Password != ""):
		return c, errors.New("framing: Config has both a token and a user: give one of them")
	case c.Credentials != nil && c.User+c.Password+c.Token != "":
		return c, errors.New("framing: Config has both Credentials and a user or a token: give one of them")
	}
	c.Subject = cmp.Or(c.Subject, DefaultSubject)
	rest := strings.NewReplacer("{topic}", "", "{type}", "").Replace(c.Subject)
	if strings.ContainsAny(rest, "{}") {
		return c, fmt.Errorf("framing: Config.Subject is %q: only {topic} and {type} can be in braces", c.Subject)
	}
	c.Refresh = cmp.Or(c.Refresh, DefaultRefresh)
	if c.Client == nil {
		c.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	c.Logger = safelog.New(cmp.Or(c.Logger, slog.Default()))
	return c, nil
}

// subject returns the registry's name of an event's schema.
func (c *Config) subject(topic, eventType string) string {
	if subject, ok := c.Subjects[eventType]; ok {
		return subject
	}
	return strings.NewReplacer("{topic}", topic, "{type}", eventType).Replace(c.Subject)
}
