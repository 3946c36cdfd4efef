package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
)

// readRegistry reads how records carry the id of their schema; nil: they carry none.
func readRegistry(r *reader) *framing.Config {
	address, auth, token := r.text("registry-url"), r.text("registry-auth"), r.text("registry-token")
	r.secrets.Add(auth)
	r.secrets.Add(token)
	c := &framing.Config{
		Mode:    framing.Mode(r.text("schema-id")),
		Subject: r.text("registry-subject"),
		Refresh: r.duration("registry-refresh"),
		Token:   token,
	}
	if c.Refresh <= 0 {
		c.Refresh = -1
	}
	subjects := r.list("registry-subjects")
	if c.Mode == "" {
		return nil
	}
	if address == "" {
		r.missing("registry-url", "the address of the schema registry (schema-id is "+string(c.Mode)+")")
		return nil
	}
	u, err := r.secrets.HTTP(address)
	if err != nil {
		r.problem("registry-url", "%w", err)
		return nil
	}
	if u.User != nil {
		c.User = u.User.Username()
		c.Password, _ = u.User.Password()
		u.User = nil
	}
	c.Registry = u.String()
	if auth != "" {
		user, password, ok := strings.Cut(auth, ":")
		if !ok {
			r.problem("registry-auth", "it must have the form user:password")
		}
		r.secrets.Add(password)
		c.User, c.Password = user, password
	}
	readRegistryFiles(r, c)
	if token != "" && c.User+c.Password != "" {
		r.problem("registry-token", "registry-auth or registry-url also sets a user: set either the token or the user")
	}
	c.Subjects = map[string]string{}
	for _, entry := range subjects {
		eventType, subject, ok := strings.Cut(entry, "=")
		if !ok || eventType == "" || subject == "" {
			r.problem("registry-subjects", "%q must have the form EVENT_TYPE=SUBJECT", entry)
		}
		c.Subjects[eventType] = subject
	}
	if len(r.problems) == 0 {
		if _, err := framing.New(relay.NewStdoutSink(nil), *c); err != nil {
			r.problem("registry-subject", "%w", err)
		}
	}
	return c
}

// readRegistryFiles reads the files with credentials that may change.
func readRegistryFiles(r *reader, c *framing.Config) {
	authFile, tokenFile := r.secretFile("registry-auth-file"), r.secretFile("registry-token-file")
	user := c.User+c.Password != ""
	switch {
	case authFile == nil && tokenFile == nil:
		return
	case authFile != nil && tokenFile != nil:
		r.problem("registry-token-file", "registry-auth-file is set too: set either the token or the user")
	case authFile != nil && user:
		r.problem("registry-auth-file", "registry-auth or registry-url also sets a user: remove one of them")
	case authFile != nil && c.Token != "":
		r.problem("registry-auth-file", "registry-token is set too: set either the token or the user")
	case tokenFile != nil && c.Token != "":
		r.problem("registry-token-file", "registry-token is set too: remove one of them")
	case tokenFile != nil && user:
		r.problem("registry-token-file", "registry-auth or registry-url also sets a user: set either the token or the user")
	case authFile != nil:
		if _, err := authFile.registryUser(); err != nil && authFile.first != "" { // otherwise it is reported already
			r.problem("registry-auth-file", "%w", err)
		}
		c.Credentials = func(context.Context) (framing.Credentials, error) { return authFile.registryUser() }
	default:
		c.Credentials = func(context.Context) (framing.Credentials, error) {
			token, err := tokenFile.read()
			return framing.Credentials{Token: token}, err
		}
	}
}

// registryUser reads user:password.
func (f *secretFile) registryUser() (framing.Credentials, error) {
	text, err := f.read()
	if err != nil {
		return framing.Credentials{}, err
	}
	user, password, ok := strings.Cut(text, ":")
	if !ok {
		return framing.Credentials{}, fmt.Errorf("the file of %s must have the form user:password", f.setting)
	}
	f.secrets.Replace(f.setting+" password "+f.path, password)
	return framing.Credentials{User: user, Password: password}, nil
}
