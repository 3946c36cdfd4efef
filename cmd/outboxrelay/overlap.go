package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// servedBy returns the outbox that serves a schema instead of the pattern of o. Two
// relays of one process on one outbox would only wait for each other. A fixed schema
// wins over a pattern; of two patterns the earlier one wins.
func servedBy(o outbox, schema string, all, earlier []outbox) (outbox, bool) {
	for _, other := range all {
		if !pgstore.IsPattern(other.schema) && other.schema == schema && sameDatabase(o.database, other.database) {
			return other, true
		}
	}
	for _, other := range earlier {
		if pgstore.IsPattern(other.schema) && matches(other.schema, schema) && sameDatabase(o.database, other.database) {
			return other, true
		}
	}
	return outbox{}, false
}

// duplicate returns an error if two fixed outboxes are the same one.
func duplicate(outboxes []outbox) error {
	for i, o := range outboxes {
		for _, other := range outboxes[:i] {
			if !pgstore.IsPattern(o.schema) && o.schema == other.schema && sameDatabase(o.database, other.database) {
				return fmt.Errorf("outboxes %s and %s are the same: schema %q of database %s is listed twice; remove one of them",
					other.name, o.name, o.schema, o.database.Database)
			}
		}
	}
	return nil
}

// sameDatabase reports whether two addresses name the same database. It compares
// the texts: two names of one host are two hosts. A command that needs no database reads
// no addresses.
func sameDatabase(a, b *pgx.ConnConfig) bool {
	if a == nil || b == nil || a.Database != b.Database {
		return false
	}
	hosts := hostsOf(a)
	return slices.ContainsFunc(hostsOf(b), func(h string) bool { return slices.Contains(hosts, h) })
}

func hostsOf(c *pgx.ConnConfig) []string {
	hosts := []string{fmt.Sprintf("%s:%d", c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		hosts = append(hosts, fmt.Sprintf("%s:%d", f.Host, f.Port))
	}
	return hosts
}

// matches reports whether a schema matches a pattern of pgstore.Server.Schemas.
func matches(pattern, schema string) bool {
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile(`^(?s:` + expression + `)$`).MatchString(schema)
}
