// Package registry speaks to a schema registry with Confluent's API. Neither its errors
// nor those of its callers, passed through Redacted, hold a password.
package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// The environment variables with the credentials for the registry.
const (
	UserInfo = "SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO" // user:password, as Confluent's own tools read it
	Token    = "SCHEMA_REGISTRY_BEARER_TOKEN"
)

const (
	requestTimeout = 30 * time.Second // of one request
	maxResponse    = 16 << 20         // bytes of one answer
)

// AtOnce is how many requests callers make at the same time.
const AtOnce = 8

// Client is a client of one registry.
type Client struct {
	// API sends the requests.
	API *sr.Client
	// Name is the registry's address without user and query.
	Name string

	secrets []string // texts that must not be shown
	naming  string
}

// Connect makes a client. naming is how the project names subjects: topic, record or
// topic-record. It sends nothing yet.
func Connect(naming, address string, env func(string) string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || cutShort(address) {
		// The address is not repeated, nor the parser's error, because they may contain
		// a password.
		return nil, errors.New("the address of the registry must have the form https://host:port; " +
			"percent-encode characters such as / : @ # % in the user and the password, or set both in " + UserInfo)
	}
	c := &Client{Name: (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/")}).String(), naming: naming}
	opts := []sr.ClientOpt{sr.URLs(c.Name), sr.UserAgent("outboxgen"), sr.HTTPClient(&http.Client{
		Timeout: requestTimeout, Transport: bounded{http.DefaultTransport}, CheckRedirect: stay,
	})}
	user, password, ok := "", "", false
	token := env(Token)
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
	switch {
	case ok && token != "" && u.User == nil:
		return nil, fmt.Errorf("%s and %s are both set, and the registry gets one of them; unset the other", UserInfo, Token)
	case ok:
		opts = append(opts, sr.BasicAuth(user, password))
		c.secrets = secrets(user, password)
	case token != "":
		opts = append(opts, sr.BearerToken(token))
		c.secrets = secrets("", token)
	}
	if c.API, err = sr.NewClient(opts...); err != nil {
		return nil, c.Redacted(fmt.Errorf("connect to the registry: %w", err))
	}
	return c, nil
}

// cutShort reports whether a / ? or # in a password may have ended it: an @ follows.
func cutShort(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.Contains(rest[end:], "@")
}

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

// Subject returns the registry's subject for an event.
func (c *Client) Subject(e *schema.Event) (string, error) {
	if c.naming == "topic" {
		return e.Topic + "-value", nil
	}
	if e.Schema.Title == "" {
		return "", fmt.Errorf("compat.subjects is %s, which names a subject by the title of the schema, but the schema of %s has no title", c.naming, e.Type)
	}
	if c.naming == "topic-record" {
		return e.Topic + "-" + e.Schema.Title, nil
	}
	return e.Schema.Title, nil
}

// NotFound reports whether the registry has no such subject, version or schema.
func NotFound(err error) bool {
	var failed *sr.ResponseError
	return errors.As(err, &failed) && slices.Contains(
		[]int{sr.ErrSubjectNotFound.Code, sr.ErrVersionNotFound.Code, sr.ErrSchemaNotFound.Code}, failed.ErrorCode)
}

// Failed returns an error that says what failed at the registry, and what to do.
func (c *Client) Failed(what string, err error) error {
	var failed *sr.ResponseError
	switch {
	case !errors.As(err, &failed):
		return fmt.Errorf("ask the registry %s %s: %w", c.Name, what, cause(err))
	case failed.StatusCode == http.StatusUnauthorized || failed.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the registry %s does not allow this user %s (%d); set user:password in %s, or a token in %s", c.Name, what, failed.StatusCode, UserInfo, Token)
	}
	message := strings.Join(strings.Fields(c.Redacted(failed).Error()), " ") // before it is cut
	const most = 200
	if runes := []rune(message); len(runes) > most {
		message = string(runes[:most]) + "…"
	}
	return fmt.Errorf("ask the registry %s %s: %d: %s", c.Name, what, failed.StatusCode, finding.Printable(message))
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
	var text *json.SyntaxError
	if errors.As(err, &text) {
		return errors.New("the response is not JSON; check that the address is that of the registry's API, not of its web pages")
	}
	return err
}
