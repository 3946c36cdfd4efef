package main

import (
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
