package secret

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
)

const encode = "in a user or a password, write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25 and a space as %20"

// Postgres parses the address of a database, a URL or keyword=value pairs. Its error
// does not repeat the address. The redactor learns the secrets.
func (r *Redactor) Postgres(address string) (*pgx.ConnConfig, error) {
	isURL := strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
	switch {
	case isURL:
		r.addURL(address)
		if err := structure(address); err != nil {
			return nil, err
		}
	case strings.Contains(address, "://"):
		r.addURL(address)
		return nil, errors.New("its scheme must be postgres:// or postgresql://")
	case !strings.Contains(address, "="):
		r.addURL(address)
		return nil, errors.New("it is neither a URL such as postgres://user:password@host:5432/database nor keyword=value pairs")
	default:
		r.addPairs(address)
		switch given := pairs(address); {
		case slices.ContainsFunc(given, pair.oddQuote):
			return nil, errors.New("an unquoted value contains a quote, so a password may have been cut off there; " + quoting(false))
		case repeats(given):
			return nil, errors.New("a keyword appears twice, so a password with spaces may have been cut off there; write each keyword once, and " + quoting(false))
		}
	}
	conn, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, r.refused(address, isURL, err)
	}
	for name, value := range conn.RuntimeParams {
		if isURL && strings.Contains(address, "password=") && !ordinary[strings.ToLower(name)] { // may be the rest of a password that contains &
			r.Add(name)
			r.Add(value)
		}
		if onlyLibpq[strings.ToLower(name)] {
			return nil, errors.New(name + " is a keyword of libpq that outboxrelay does not support: remove it")
		}
		if !setting.MatchString(name) {
			return nil, errors.New("it contains a setting name that no server has; " + quoting(isURL))
		}
	}
	r.Add(conn.Password)
	hosts := []string{conn.Host}
	for _, f := range conn.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	if slices.ContainsFunc(hosts, noHost) {
		return nil, errors.New("a host contains invalid characters; " + quoting(isURL))
	}
	if strings.Contains(conn.Database, "://") {
		return nil, errors.New("dbname contains a URL: use the URL alone")
	}
	r.Public(append(hosts, conn.User, conn.Database)...)
	return conn, nil
}

// pair is a keyword and its value as it was written.
type pair struct{ keyword, value string }

// onePair matches a keyword and its value, which may be in quotes.
var onePair = regexp.MustCompile(`(?s)([^\s=]+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)`)

// pairs splits keyword=value pairs as Postgres does.
func pairs(address string) []pair {
	var list []pair
	for _, found := range onePair.FindAllStringSubmatch(address, -1) {
		list = append(list, pair{strings.ToLower(found[1]), found[2]})
	}
	return list
}

// oddQuote reports whether a value that is not in quotes contains a quote.
func (p pair) oddQuote() bool {
	return !strings.HasPrefix(p.value, "'") && strings.Contains(unescape.ReplaceAllString(p.value, ""), "'") ||
		strings.HasPrefix(p.value, "'") && !quotedValue.MatchString(p.value)
}

var quotedValue = regexp.MustCompile(`(?s)^'(?:[^'\\]|\\.)*'$`)

// repeats reports whether a keyword is given twice; the last value would count.
func repeats(given []pair) bool {
	seen := map[string]bool{}
	for _, p := range given {
		if p.keyword == "dbname" {
			p.keyword = "database"
		}
		if seen[p.keyword] {
			return true
		}
		seen[p.keyword] = true
	}
	return false
}

// noHost reports whether a host cannot be one.
func noHost(host string) bool {
	address, _, _ := strings.Cut(host, "%")
	return !strings.HasPrefix(host, "/") && strings.ContainsAny(host, "@:? ") && net.ParseIP(address) == nil
}

// setting matches the name of a server setting.
var setting = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.$]*$`)

// ordinary are names that cannot be part of a password.
var ordinary = map[string]bool{
	"application_name": true, "client_encoding": true, "datestyle": true, "idle_in_transaction_session_timeout": true,
	"idle_session_timeout": true, "lock_timeout": true, "options": true, "role": true, "search_path": true,
	"statement_timeout": true, "timezone": true,
}

// onlyLibpq are keywords of an address that pgx would send to the server as settings.
var onlyLibpq = map[string]bool{
	"fallback_application_name": true, "gssdelegation": true, "gssencmode": true, "gsslib": true, "hostaddr": true,
	"keepalives": true, "keepalives_count": true, "keepalives_idle": true, "keepalives_interval": true,
	"load_balance_hosts": true, "requirepeer": true, "requiressl": true, "scram_client_key": true, "scram_server_key": true,
	"ssl_max_protocol_version": true, "ssl_min_protocol_version": true, "sslcompression": true, "sslcrl": true, "sslcrldir": true,
	"sslkeylogfile": true, "tcp_user_timeout": true,
}

func quoting(isURL bool) string {
	if isURL {
		return encode
	}
	return `put a value with spaces or quotes into single quotes, with \' for ' and \\ for \`
}

// refused says why pgx refuses the address, without pgx's words about it.
func (r *Redactor) refused(address string, isURL bool, err error) error {
	text := err.Error()
	if at := strings.LastIndex(text, "`: "); at >= 0 {
		text = text[at+len("`: "):]
	}
	if text == err.Error() || strings.HasPrefix(text, "failed to parse as") || strings.Contains(text, address) {
		return errors.New("it cannot be parsed; " + quoting(isURL))
	}
	if problem := tlsProblem(text); problem != "" {
		text = problem
	}
	return errors.New(r.Text(text))
}

// tlsProblem says in the words of an address what pgx says about its TLS files; "": it says
// nothing about them.
func tlsProblem(text string) string {
	text, ok := strings.CutPrefix(text, "failed to configure TLS (")
	if !ok {
		return ""
	}
	text = strings.TrimSuffix(text, ")")
	for _, p := range []struct{ begins, file, what string }{
		{"unable to read CA file: ", "sslrootcert", ""},
		{"unable to read cert: ", "sslcert", ""},
		{"unable to read sslkey: ", "sslkey", ""},
		{"unable to add CA to cert pool", "sslrootcert", "contains no PEM certificate; it must have the certificate of the authority that signed the server's certificate"},
		{"failed to decode sslkey", "sslkey", "contains no PEM key"},
		{"unable to find sslpassword", "sslkey", "is encrypted: set sslpassword"},
		{"unable to decrypt key", "sslkey", "cannot be decrypted with sslpassword"},
	} {
		rest, ok := strings.CutPrefix(text, p.begins)
		if !ok {
			continue
		}
		if p.what == "" {
			p.what = "cannot be read: " + strings.TrimPrefix(rest, "open ")
		}
		return "the file of " + p.file + " (in the address, or in PG" + strings.ToUpper(p.file) + ") " + p.what
	}
	if why, ok := strings.CutPrefix(text, "unable to load cert: "); ok {
		return "the files of sslcert and sslkey (in the address, or in PGSSLCERT and PGSSLKEY) cannot be used: " + strings.TrimPrefix(why, "tls: ")
	}
	switch text {
	case `both "sslcert" and "sslkey" are required`:
		return "it has only one of sslcert and sslkey (in the address, or in PGSSLCERT and PGSSLKEY): set both, or neither"
	case "sslmode is invalid":
		return "sslmode (in the address, or in PGSSLMODE) must be disable, allow, prefer, require, verify-ca or verify-full"
	}
	return ""
}

// Redis parses the address of a Redis server, a URL. Its error does not repeat the
// address. The redactor learns the secrets.
func (r *Redactor) Redis(address string) (rueidis.ClientOption, error) {
	r.addURL(address)
	scheme, _, ok := strings.Cut(address, "://")
	if !ok || !slices.Contains([]string{"redis", "rediss", "valkey", "valkeys", "unix"}, scheme) {
		return rueidis.ClientOption{}, errors.New("it is not an address such as redis://user:password@host:6379/0; with TLS the scheme is rediss")
	}
	if err := structure(address); err != nil {
		return rueidis.ClientOption{}, err
	}
	u, err := url.Parse(address)
	if err != nil {
		return rueidis.ClientOption{}, errors.New("it cannot be parsed; " + encode)
	}
	option, err := rueidis.ParseURL(address)
	if err != nil {
		return rueidis.ClientOption{}, errors.New("the database after the / is not a number, or db, dial_timeout, write_timeout or skip_verify has an invalid value")
	}
	r.Add(option.Password)
	if option.Password == "" {
		r.Add(option.Username) // a password without the colon before it
	}
	r.Public(u.Hostname())
	return option, nil
}

// HTTP reads the address of a web service. Its error says what is wrong without
// repeating the address. The redactor learns the secrets.
func (r *Redactor) HTTP(address string) (*url.URL, error) {
	r.addURL(address)
	scheme, _, ok := strings.Cut(address, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return nil, errors.New("it is not an address such as https://user:password@host:8081")
	}
	if err := structure(address); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("it cannot be read, or has no host; " + encode)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("it holds a ?, and the address of a registry has no query; " + encode)
	}
	if password, ok := u.User.Password(); ok {
		r.Add(password)
	} else {
		r.Add(u.User.Username()) // a password without the colon before it
	}
	r.Public(u.Hostname())
	return u, nil
}

// structure checks that a URL can be split in only one way.
func structure(address string) error {
	_, rest, _ := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	switch {
	case strings.ContainsFunc(address, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("it contains a line break or another control character")
	case strings.Contains(tail, "@"):
		return errors.New("an @ follows the first /, ? or #, so a password may have been cut off there; " + encode)
	case strings.Contains(tail, "#"):
		return errors.New("it contains a #, which ends an address; " + encode)
	}
	user, hosts := "", authority
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, hosts = authority[:at], authority[at+1:]
	}
	if _, err := url.PathUnescape(user); err != nil {
		return errors.New("a % in the user or the password is not followed by two hexadecimal digits; " + encode)
	}
	if _, err := url.Parse("x://" + user + "@host"); err != nil && user != "" {
		return errors.New("the user or the password contains a character that must be percent-encoded; " + encode)
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if !validPort(host) {
			return errors.New("a port is not a number from 1 to 65535; if the address contains a password, " + encode)
		}
	}
	if _, err := url.PathUnescape(tail); err != nil {
		return errors.New("a % after the host is not followed by two hexadecimal digits; write % as %25")
	}
	return nil
}

// validPort reports whether the text after the host is empty or a valid port.
func validPort(host string) bool {
	if at := strings.LastIndex(host, "]"); at >= 0 {
		host = host[at+1:]
	}
	_, port, ok := strings.Cut(host, ":")
	if !ok || port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Broker checks the address of a Kafka broker: host or host:port. Its error does
// not repeat the address, and the redactor learns it when it may hold a password.
func (r *Redactor) Broker(address string) error {
	if strings.ContainsAny(address, "@/?#%= \t\r\n\\\"'") {
		r.addURL(address)
		return errors.New("an address contains more than host:port; set users and passwords with sasl-user and sasl-password")
	}
	if !validPort(address) {
		r.addURL(address)
		return errors.New("the port of an address is not a number from 1 to 65535; use host:port")
	}
	return nil
}

// addURL adds everything that may be secret in a text that should be a URL, however it
// is split.
func (r *Redactor) addURL(address string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		scheme, rest = "", address
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		user := rest[:at]
		name, password, hasPassword := strings.Cut(user, ":")
		r.Add(password)
		postgres := scheme == "postgres" || scheme == "postgresql"
		if !postgres || password == "" || structure(address) != nil { // else it is clear which part is the role, and that is not secret
			r.Add(user)
		}
		if !hasPassword && !postgres {
			r.Add(name)
		}
		rest = rest[at+1:]
	} else if structure(address) != nil || !ok {
		r.Add(rest)
	}
	_, query, _ := strings.Cut(rest, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.Contains(strings.ToLower(name), "password") {
			r.Add(value)
			if decoded, err := url.QueryUnescape(value); err == nil {
				r.Add(decoded)
			}
		}
	}
}

// addPairs adds everything that may be secret in keyword=value pairs: the text after
// password= up to the next keyword of a connection.
func (r *Redactor) addPairs(address string) {
	for _, at := range password.FindAllStringIndex(address, -1) {
		value := address[at[1]:]
		if next := keyword.FindStringIndex(value); next != nil {
			value = value[:next[0]]
		}
		value = strings.TrimSpace(value)
		r.Add(value)
		r.Add(strings.Trim(value, "'"))
		r.Add(unescape.ReplaceAllString(strings.Trim(value, "'"), "$1"))
	}
}

var (
	password = regexp.MustCompile(`(?i)password\s*=\s*`)
	keyword  = regexp.MustCompile(`\s(?:host|hostaddr|port|dbname|database|user|ssl\w+|connect_timeout|target_session_attrs|application_name|options|passfile|service|password)\s*=`)
	unescape = regexp.MustCompile(`\\(.)`)
)
