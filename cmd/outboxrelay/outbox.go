package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// reader parses the texts of settings and collects all problems, so that they are
// reported together.
type reader struct {
	values   values
	problems []error
	secrets  *secret.Redactor // learns the secrets that are read
}

// newReader checks the text of each setting.
func newReader(settings []setting, v values, secrets *secret.Redactor) *reader {
	r := &reader{values: v, secrets: secrets}
	for _, s := range settings {
		if text := r.text(s.name); !s.takes(text) {
			r.problem(s.name, "invalid value %q: use %s", text, s.kind.instead)
		}
	}
	return r
}

func (r *reader) problem(name, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("setting %s: "+format, append([]any{name}, args...)...))
}

// missing adds the problem of a setting without a value: what it is, and where to set
// it.
func (r *reader) missing(name, what string) {
	r.problems = append(r.problems, fmt.Errorf("%s is missing: set %s", what, only(name)[0].places()))
}

func (r *reader) misuse() error {
	if err := errors.Join(r.problems...); err != nil {
		return misuse{err}
	}
	return nil
}

func (r *reader) text(name string) string {
	text, declared := r.values[name]
	if !declared {
		panic("setting " + name + " is read by a command that does not declare it")
	}
	return text
}

// An empty text is 0 or false, and so is one that newReader has reported.

func (r *reader) duration(name string) time.Duration {
	d, _ := time.ParseDuration(r.text(name))
	return d
}

func (r *reader) number(name string) int {
	n, _ := strconv.Atoi(r.text(name))
	return n
}

func (r *reader) boolean(name string) bool {
	b, _ := strconv.ParseBool(r.text(name))
	return b
}

func (r *reader) list(name string) []string {
	var out []string
	for item := range strings.SplitSeq(r.text(name), ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// outbox is the parsed and checked configuration of one outbox.
type outbox struct {
	name     string
	unnamed  bool // it has no name: the relay that leads it may have one
	database *pgx.ConnConfig
	password *secretFile  // of the database; nil: the one in database
	tls      *databaseTLS // of the database; nil: none
	// maxSessions limits the sessions in the database; 0: the default.
	maxSessions int
	schema      string // or a pattern
	found       bool   // a pattern found the schema
	mode        pgstore.Mode
	isLog       bool // event_outbox is a log
	toStdout    bool
	kafka       kafkaSettings
	registry    *framing.Config // nil: records carry no schema id
	service     string
	wake        string // redis, postgres or none
	redis       rueidis.ClientOption
	redisTLS    *tlsFiles    // nil: no TLS
	unheard     bool         // there is a Redis, and no service whose wake-ups it could transport
	relay       relay.Config // without Name, Store, Sink and Wake
	secrets     *secret.Redactor
	flags       string // that select it in another command, with a space before each; "": none are needed
}

// readPlace reads where an outbox is: the settings in the variable place.
func readPlace(r *reader) outbox {
	o := outbox{
		name:    cmp.Or(r.text("name"), r.text("service"), "event_outbox"),
		unnamed: r.text("name") == "" && r.text("service") == "",
		schema:  r.text("schema"),
		service: r.text("service"),
		secrets: r.secrets,
	}
	o.database, o.password, o.tls = readDatabase(r)
	r.secrets.Public(r.text("name"), o.service, o.schema)
	return o
}

// readOutbox reads the settings of one outbox.
func readOutbox(r *reader) outbox {
	o := readPlace(r)
	o.maxSessions = r.number("max-sessions")
	o.mode = pgstore.Mode(r.text("settle"))
	if o.isLog = r.text("store") == "log"; o.isLog && o.mode == pgstore.Delete {
		r.problem("settle", "a log deletes no single rows: leave settle out, or set store to table")
	}
	o.toStdout = r.text("sink") == "stdout"
	o.redis, o.redisTLS = readRedis(r)
	if !o.toStdout {
		o.kafka = readKafka(r)
		o.kafka.codecs = readCompression(r)
		o.registry = readRegistry(r)
	}
	o.wake = readWake(r)
	o.unheard = r.text("wake") == "auto" && r.text("redis-url") != "" && o.service == ""
	o.relay = relay.Config{
		Keep:          r.duration("retention"),
		PollMax:       r.duration("poll-max"),
		MaxAttempts:   r.number("max-attempts"),
		OnDead:        relay.Policy(r.text("on-dead")),
		OnDeadByType:  policies(r),
		StripRouting:  r.boolean("strip-routing"),
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
	return o
}

// schemaPlace stands for the schema in the name of a service.
const schemaPlace = "{schema}"

// forSchema returns the outbox for one of the schemas that match its pattern.
func (o outbox) forSchema(schema string) outbox {
	o.schema, o.found = schema, true
	if o.unnamed {
		o.name = schema
	} else {
		o.name += "/" + schema
	}
	o.service = strings.ReplaceAll(o.service, schemaPlace, schema)
	return o
}

// readDatabase parses the address of the database, and reads its password; nil if there is
// a problem.
func readDatabase(r *reader) (*pgx.ConnConfig, *secretFile, *databaseTLS) {
	address := r.text("database-url")
	password := r.secretFile("database-password-file")
	if address == "" {
		r.missing("database-url", "the database address")
		return nil, nil, nil
	}
	conn, err := r.secrets.Postgres(address)
	if err != nil {
		r.problem("database-url", "%w", err)
		return nil, nil, nil
	}
	if password != nil {
		conn.Password = password.first
	}
	return conn, password, newDatabaseTLS(address, conn, r.secrets)
}

// readRedis parses the address of Redis, if it is set. The files are nil if there is no TLS.
func readRedis(r *reader) (rueidis.ClientOption, *tlsFiles) {
	password := r.secretFile("redis-password-file")
	if r.text("redis-url") == "" {
		if password != nil {
			r.problem("redis-password-file", "it is set but redis-url is not, so it would have no effect: set redis-url, or remove redis-password-file")
		}
		refuseTLSFiles(r, "redis-tls", "redis-url is not", "set redis-url")
		return rueidis.ClientOption{}, nil
	}
	option, err := r.secrets.Redis(r.text("redis-url"))
	if err != nil {
		r.problem("redis-url", "%w", err)
		return option, nil
	}
	option.AuthCredentialsFn = password.redisCredentials(option.Username)
	if option.TLSConfig == nil {
		refuseTLSFiles(r, "redis-tls", "redis-url has no TLS", "write rediss:// in redis-url")
		return option, nil
	}
	files := readTLSFiles(r, "redis-tls")
	if files != nil {
		option.DialCtxFn = files.dialRedis
	}
	return option, files
}

func readWake(r *reader) string {
	wake := r.text("wake")
	service, redis := r.text("service"), r.text("redis-url")
	if service != "" && pgstore.IsPattern(r.text("schema")) && !strings.Contains(service, schemaPlace) {
		if wake == "auto" {
			return "none" // each wake-up would reach only one of the outboxes
		}
		if wake != "none" {
			r.problem("wake", "%s would be the service of all schemas of the pattern %s: put %s into service, "+
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
		r.missing("redis-url", "the address of Redis (wake is redis)")
	}
	if wake != "none" && service == "" {
		r.missing("service", "the service's name, which identifies its wake-ups (wake is "+wake+"),")
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
			r.problem("park-types", "%s is also in block-types", name)
		}
		out[name] = relay.Park
	}
	return out
}
