package generator

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/connector"
)

// DebeziumOptions says how the configuration of a connector is written.
type DebeziumOptions struct {
	// File is the configuration's file; "" if it is not written to one.
	File string
	// Name is the name of the connector, its replication slot and its publication.
	// Default: outbox_ and the name of the service.
	Name string
	// Headers are the headers of the service's own (WithHeader) that the connector
	// publishes.
	Headers []string
	// Compression is the codec of the records, as the relay's setting compression. Default: none.
	Compression string
}

// ExportedDebezium is a setting of each exported connector. Kafka Connect ignores it.
const ExportedDebezium = "Written by outboxgen export debezium. DO NOT EDIT."

var (
	slotName   = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// ExportDebezium returns the configuration of a connector of Debezium that publishes the
// project's outbox with records as the relay's. It is JSON in the form that the REST API
// of Kafka Connect takes. The errors are those of Generate.
func ExportDebezium(cfg Config, o DebeziumOptions) (*Exported, error) {
	l, err := load(cfg.withDefaults())
	if err != nil {
		return nil, err
	}
	if l.list.HasErrors() {
		return &Exported{Result: *l.result()}, nil
	}
	c := l.project.Config
	if err := l.refuseLog(); err != nil {
		return nil, err
	}
	options := connector.Options{Name: cmp.Or(o.Name, connectorName(c.Service)), Schema: c.SQLC.Schema, Headers: o.Headers, Compression: o.Compression}
	if o.Compression != "" && !slices.Contains(connector.Codecs(), o.Compression) {
		return nil, fmt.Errorf("the compression %q is unknown: use %s", o.Compression, strings.Join(connector.Codecs(), ", "))
	}
	if !slotName.MatchString(options.Name) {
		return nil, fmt.Errorf("the name %q cannot be that of a replication slot: Postgres allows 1 to 63 characters of a-z 0-9 _", options.Name)
	}
	for i, name := range o.Headers {
		switch {
		case slices.Contains(o.Headers[:i], name):
			return nil, fmt.Errorf("the header %q is given twice: name it once", name)
		case !headerName.MatchString(name):
			return nil, fmt.Errorf("the header %q cannot be in a connector's settings: Debezium only finds names of A-Z a-z 0-9 _ -", name)
		case connector.Taken(name):
			return nil, fmt.Errorf("the header %q cannot be given: the transforms of the connector use the name, or outboxgen sets the header", name)
		}
	}
	if at := c.Compat.SubjectsPos; at.Line > 0 {
		l.list.Warnf(at, "debezium-registry", "this project's schemas are in a registry; Debezium adds no schema ids to records, as the relay can").
			SetHint("keep the relay if its setting schema_id is not none")
	}
	content, err := connectorDocument(options)
	if err != nil {
		return nil, fmt.Errorf("export the connector: %w", err)
	}
	e := &Exported{Result: *l.result()}
	e.Dir = filepath.Dir(o.File)
	e.Files = []File{{Path: filepath.Base(o.File), Content: content}}
	_, err = claimDocument("export debezium", o.File, ExportedDebezium)
	return e, err
}

// refuseLog refuses an outbox that is a log: its events are in partitions, and it has no columns
// that say which of them wait. Migrations that cannot be read are reported by Generate.
func (l *loaded) refuseLog() error {
	c := l.project.Config.SQLC
	at := c.Migrations
	if at == "" {
		found, ok, err := FindMigrations(l.dir)
		if err != nil || !ok {
			return nil //nolint:nilerr // Generate reports it
		}
		at = found.Path
	}
	if outbox, ok, err := FindOutbox(join(l.dir, at), c.Schema); err == nil && ok && outbox.Log {
		return fmt.Errorf("the migrations in %s make event_outbox a log, and Debezium can publish only a table: keep outboxrelay, "+
			"or move the outbox with \"outboxrelay store migrate --to table\"; see docs/running.md, section Move between table and log", strings.TrimSuffix(at, "/"))
	}
	return nil
}

// connectorName returns the name of a service's connector.
func connectorName(service string) string {
	const longest = 63
	name := "outbox_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(service))
	return name[:min(len(name), longest)]
}

// connectorDocument writes the settings in their order, one on a line.
func connectorDocument(o connector.Options) ([]byte, error) {
	var b bytes.Buffer
	text := json.NewEncoder(&b)
	text.SetEscapeHTML(false)
	write := func(before, s string) error {
		b.WriteString(before)
		err := text.Encode(s)
		b.Truncate(b.Len() - 1) // the end of the line
		return err
	}
	if err := write("{\n  \"name\": ", o.Name); err != nil {
		return nil, err
	}
	b.WriteString(",\n  \"config\": {")
	separator := "\n    "
	for _, s := range append([]connector.Setting{{Name: "x-comment", Value: ExportedDebezium}}, connector.Settings(o)...) {
		if err := write(separator, s.Name); err != nil {
			return nil, err
		}
		if err := write(": ", s.Value); err != nil {
			return nil, err
		}
		separator = ",\n    "
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes(), nil
}
