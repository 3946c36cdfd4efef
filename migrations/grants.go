package migrations

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed grants.up.sql
var grantsUp string

//go:embed grants.down.sql
var grantsDown string

//go:embed log_grants.up.sql
var logGrantsUp string

//go:embed log_grants.down.sql
var logGrantsDown string

// Roles are the database roles for [KindGrants]. The zero value means [DefaultRoles].
// If one is set, the empty ones get no privileges.
type Roles struct {
	// Relay runs outboxrelay.
	Relay string
	// Service inserts events.
	Service string
	// Operator reads outboxes, and replays or discards dead letters.
	Operator string
	// Consumer handles events with package inbox.
	Consumer string
}

// DefaultRoles returns the roles in the SQL if none are given.
func DefaultRoles() Roles {
	return Roles{Relay: "outbox_relay", Service: "outbox_service", Operator: "outbox_operator", Consumer: "outbox_consumer"}
}

var (
	roleName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_@.-]{0,62}$`)
	plainName  = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	writtenFor = regexp.MustCompile(`\boutbox_(?:relay|service|operator|consumer)\b`)
)

// sql returns the grants for these roles, and the SQL that revokes them.
func (r Roles) sql(store Store, schema string) (up, down string, err error) {
	if r == (Roles{}) {
		r = DefaultRoles()
	}
	d := DefaultRoles()
	names := map[string]string{d.Relay: r.Relay, d.Service: r.Service, d.Operator: r.Operator, d.Consumer: r.Consumer}
	var all []string
	for _, written := range []string{d.Relay, d.Service, d.Operator, d.Consumer} {
		name := names[written]
		if name == "" {
			continue
		}
		if !roleName.MatchString(name) {
			return "", "", fmt.Errorf("migrations: role %q: want a letter or underscore, then letters, digits and _ @ . -, at most 63 in all", name)
		}
		if !plainName.MatchString(name) {
			name = `"` + name + `"`
		}
		names[written] = name
		all = append(all, name)
	}
	up, down = grantTo(grantsUp, names), grantTo(grantsDown, names)
	if store == StoreLog {
		up, down = grantTo(logGrantsUp, names), grantTo(logGrantsDown, names)
	}
	if schema != "" {
		up += fmt.Sprintf("\nGRANT USAGE ON SCHEMA \"%s\" TO %s;\n", schema, strings.Join(all, ", "))
		down += fmt.Sprintf("\nREVOKE USAGE ON SCHEMA \"%s\" FROM %s;\n", schema, strings.Join(all, ", "))
	}
	return up, down, nil
}

// grantTo inserts the names, and leaves out the statements for roles without a name.
func grantTo(sql string, names map[string]string) string {
	var kept []string
	for _, statement := range split(sql) {
		comment, command := cutComment(statement)
		if names[writtenFor.FindString(command)] == "" {
			// The last paragraph of the comment is about the statement.
			i := strings.LastIndex(comment, "--\n")
			comment, command = comment[:max(i, 0)], ""
		}
		var lines []string
		if comment != "" && len(kept) > 0 {
			lines = append(lines, "\n")
		}
		for line := range strings.Lines(comment) {
			if written := writtenFor.FindString(line); written == "" || names[written] != "" {
				lines = append(lines, line)
			}
		}
		if text := strings.TrimRight(strings.Join(lines, "")+command, "\n"); text != "" {
			kept = append(kept, text)
		}
	}
	return writtenFor.ReplaceAllStringFunc(strings.Join(kept, "\n")+"\n", func(written string) string { return names[written] })
}
