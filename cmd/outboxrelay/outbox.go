package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// reader turns the texts of settings into values and collects what does not fit,
// so that all of it is told at once.
type reader struct {
	values   values
	problems []error
	secrets  *secret.Redactor // learns the secrets that are read
}

func (r *reader) problem(name, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("setting %s: "+format, append([]any{name}, args...)...))
}

func (r *reader) text(name string) string { return r.values[name] }

func (r *reader) required(name, remedy string) string {
	text := r.values[name]
	if text == "" {
		r.problem(name, "it is not set: %s", remedy)
	}
	return text
}

func (r *reader) oneOf(name string, allowed ...string) string {
	text := r.values[name]
	for _, a := range allowed {
		if text == a {
			return text
		}
	}
	r.problem(name, "it is %q: use %s", text, strings.Join(allowed, ", "))
	return text
}

func (r *reader) duration(name string) time.Duration {
	d, err := time.ParseDuration(r.values[name])
	if err != nil {
		r.problem(name, "it is %q: use a duration such as 500ms, 10s or 168h", r.values[name])
	}
	return d
}

func (r *reader) number(name string) int {
	n, err := strconv.Atoi(r.values[name])
	if err != nil || n < 1 {
		r.problem(name, "it is %q: use a whole number above zero", r.values[name])
	}
	return n
}

func (r *reader) boolean(name string) bool {
	b, err := strconv.ParseBool(r.values[name])
	if err != nil {
		r.problem(name, "it is %q: use true or false", r.values[name])
	}
	return b
}

func (r *reader) list(name string) []string {
	var out []string
	for item := range strings.SplitSeq(r.values[name], ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// outbox is the configuration of one outbox, read and checked.
type outbox struct {
	name     string
	unnamed  bool // nobody gave it a name: the relay that leads it may know better
	database *pgx.ConnConfig
	// maxSessions bounds the sessions in the database; 0: the default.
	maxSessions int
	schema      string // or a pattern
	found       bool   // a pattern found the schema
	mode        pgstore.Mode
	toStdout    bool
	kafka       kafkaSettings
	service     string
	wake        string // redis, postgres or none
	redis       rueidis.ClientOption
	unheard     bool         // there is a Redis, and no service whose wake-ups it could bring
	relay       relay.Config // without Store, Sink and Wake
	secrets     *secret.Redactor
}

// readOutbox reads the settings of one outbox. The error lists every one that
// cannot be used.
func readOutbox(v values, secrets *secret.Redactor) (outbox, error) {
	r := &reader{values: v, secrets: secrets}
	o := outbox{
		name:     r.text("name"),
		database: readDatabase(r),
		secrets:  secrets,
		schema:   r.text("schema"),
		mode:     pgstore.Mode(r.oneOf("settle", "mark", "delete")),
		toStdout: r.oneOf("sink", "kafka", "stdout") == "stdout",
		service:  r.text("service"),
		redis:    readRedis(r),
	}
	secrets.Public(o.name, o.service, o.schema, r.text("sasl-user"))
	if !o.toStdout {
		o.kafka = readKafka(r)
	}
	if o.name == "" {
		o.name = o.service
	}
	if o.name == "" {
		o.name, o.unnamed = "event_outbox", true
	}
	o.maxSessions = readSessions(r)
	o.wake = readWake(r)
	o.unheard = r.text("wake") == "auto" && r.text("redis-url") != "" && o.service == ""
	o.relay = relay.Config{
		Name:          o.name,
		Keep:          r.duration("retention"),
		PollMax:       r.duration("poll-max"),
		MaxAttempts:   r.number("max-attempts"),
		OnDead:        relay.Policy(r.oneOf("on-dead", string(relay.Park), string(relay.Block))),
		OnDeadByType:  policies(r),
		BufferRows:    r.number("buffer-rows"),
		BufferBytes:   int64(r.number("buffer-mib")) << 20,
		UnsettledRows: r.number("unsettled-rows"),
		WaveTimeout:   r.duration("wave-timeout"),
		Term:          r.duration("term"),
		DrainTimeout:  r.duration("drain-timeout"),
	}
	if o.relay.Keep <= 0 {
		o.relay.Keep = -1
	}
	return o, errors.Join(r.problems...)
}

// readSessions is 0 for the default.
func readSessions(r *reader) int {
	if r.text("max-sessions") == "" {
		return 0
	}
	n, err := strconv.Atoi(r.text("max-sessions"))
	if err != nil || n < 2 {
		r.problem("max-sessions", "it is %q: use a whole number from 2 on", r.text("max-sessions"))
	}
	return n
}

// schemaPlace is what stands for the schema in the name of a service.
const schemaPlace = "{schema}"

// forSchema is the outbox in one of the schemas that its pattern matches.
func (o outbox) forSchema(schema string) outbox {
	o.schema, o.found = schema, true
	if o.unnamed {
		o.name = schema
	} else {
		o.name += "/" + schema
	}
	o.relay.Name = o.name
	o.service = strings.ReplaceAll(o.service, schemaPlace, schema)
	return o
}

// readDatabase reads the address of the database; nil when there is a problem.
func readDatabase(r *reader) *pgx.ConnConfig {
	address := r.required("database-url",
		"give --database-url, OUTBOXRELAY_DATABASE_URL, DATABASE_URL or database_url in the file")
	if address == "" {
		return nil
	}
	conn, err := r.secrets.Postgres(address)
	if err != nil {
		r.problem("database-url", "%w", err)
	}
	return conn
}

// readRedis reads the address of Redis, where one is set.
func readRedis(r *reader) rueidis.ClientOption {
	if r.text("redis-url") == "" {
		return rueidis.ClientOption{}
	}
	option, err := r.secrets.Redis(r.text("redis-url"))
	if err != nil {
		r.problem("redis-url", "%w", err)
	}
	return option
}

func readWake(r *reader) string {
	wake := r.oneOf("wake", "auto", "redis", "postgres", "none")
	service, redis := r.text("service"), r.text("redis-url")
	if service != "" && pgstore.IsPattern(r.text("schema")) && !strings.Contains(service, schemaPlace) {
		if wake == "auto" {
			return "none" // each wake-up would reach one of the outboxes only
		}
		if wake != "none" {
			r.problem("wake", "it is %s, and one service stands for all schemas of the pattern %s: put %s into service, "+
				"as the services name themselves, or set wake to none", wake, r.text("schema"), schemaPlace)
		}
	}
	if wake == "auto" {
		switch {
		case service == "":
			return "none"
		case redis != "":
			return "redis"
		default:
			return "postgres"
		}
	}
	if wake == "redis" && redis == "" {
		r.problem("wake", "it is redis, and redis-url is not set")
	}
	if wake != "none" && service == "" {
		r.problem("wake", "it is %s, and service is not set: wake-ups are told apart by the service's name", wake)
	}
	return wake
}

func policies(r *reader) map[string]relay.Policy {
	out := map[string]relay.Policy{}
	for _, name := range r.list("block-types") {
		out[name] = relay.Block
	}
	for _, name := range r.list("park-types") {
		if out[name] == relay.Block {
			r.problem("park-types", "%s is in block-types too", name)
		}
		out[name] = relay.Park
	}
	return out
}
