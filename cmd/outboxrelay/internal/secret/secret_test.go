package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

func TestTextWithoutSecrets(t *testing.T) {
	t.Parallel()
	r := &secret.Redactor{}
	r.Add("hunter2/pass@word")
	r.Add("postgres")
	r.Add(strings.Repeat("0123456789abcdef", 16))
	r.Public("postgres")
	tests := []struct{ name, in, want string }{
		{"whole", "AUTH hunter2/pass@word failed", "AUTH (secret) failed"},
		{"encoded", "hunter2%2Fpass%40word", "(secret)"},
		{"cut at a slash", "lookup hunter2: no such host", "lookup (secret): no such host"},
		{"a word in a word", "password, passport and sword", "password, passport and sword"},
		{"a word alone", "word by pass", "(secret) by (secret)"},
		{"public", "user=postgres", "user=postgres"},
		{"cut anywhere", "args: '789abcdef01234", "args: '(secret)"},
		{"too short to tell", "0123456", "0123456"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, r.Text(tt.in)); diff != "" {
				t.Errorf("Text(%q) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

type state struct{ Reason string }

func TestLogWithoutSecrets(t *testing.T) {
	t.Parallel()
	r := &secret.Redactor{}
	var out bytes.Buffer
	log := slog.New(r.Handler(slog.NewJSONHandler(&out, nil)))
	r.Add(`se"cret` + "\n1")
	const s = `se"cret` + "\n1"
	log = log.With("with", s).WithGroup("group").With("error", fmt.Errorf("wrapped: %w", errors.New(s)))
	log.Info("message "+s, "text", s, slog.Group("inner", "bytes", []byte(s), "state", state{s}, "list", []string{s}), "n", 7, "pointer", &state{s})
	if got := out.String(); strings.Contains(strings.ReplaceAll(got, secret.Hidden, ""), "cret") || strings.Contains(got, "115") {
		t.Errorf("the log holds the secret:\n%s", got)
	}
	if got := out.String(); !strings.Contains(got, `"n":7`) {
		t.Errorf("a number is no number any more:\n%s", got)
	}
}

// An address with one meaning is accepted unchanged. One with two meanings is refused.
func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		address string
		host    string // "": refused
	}{
		{"postgres://u:p%40%2F@h:5433/d?sslmode=disable", "h"},
		{"postgresql://u@h/d", "h"},
		{"postgres:///d?host=/run/postgresql", "/run/postgresql"},
		{"postgres://u:p@a,b:5433/d?target_session_attrs=read-write", "a"},
		{"postgres://u:p@[::1]:5432/d", "::1"},
		{"postgres://u@%2Frun%2Fpostgresql/d", "/run/postgresql"},
		{"host=h user=u password='it\\'s' dbname=d", "h"},
		{"host=::1 dbname=d statement_timeout=5s", "::1"},
		{"postgres://u:p/w@h/d", ""},
		{"postgres://u:p#w@h/d", ""},
		{"postgres://u:p?w@h/d", ""},
		{"postgres://u:1/w@h/d", ""},
		{"postgres://u:p@w@h/d", ""},
		{"postgres://u:p%zz@h/d", ""},
		{"postgres://u:p@h:0/d", ""},
		{"postgres://u:p w@h/d", ""},
		{"postgre://u:p@h/d", ""},
		{"host=h password=p w dbname=d", ""},
		{"host=u:p@h dbname=d", ""},
		{"host=h password='a user=b' user = u dbname=d", "h"},
		{"host=h password=it\\'s user=u", "h"},
		{"host=h user=u password=p user=w dbname=d", ""},
		{"host=h password=p host=w dbname=d", ""},
		{"HOST=h password=p host=w", ""},
		{"host=h dbname=d password=p database=w", ""},
		{"host=h password='p' host=w' user=u", ""},
		{"password=p' host=w", ""},
		{"host=h dbname=postgres://u:p@h/d", ""},
		{"host=h dbname=d sslmode=perhaps", ""},
	}
	for _, tt := range tests {
		conn, err := new(secret.Redactor).Postgres(tt.address)
		switch {
		case tt.host == "" && err == nil:
			t.Errorf("%s is taken, with the host %s", tt.address, conn.Host)
		case tt.host != "" && (err != nil || conn.Host != tt.host):
			t.Errorf("%s is not taken with the host %s: %v", tt.address, tt.host, err)
		}
	}
	for address, ok := range map[string]bool{
		"redis://h": true, "rediss://u:p@h:6380/2": true, "redis://:p%2F@h:6379": true, "unix:///run/redis.sock?db=1": true, "redis://[::1]:6379": true,
		"redis://h:1?addr=h2:2": true, "redis://:p/w@h": false, "redis://:p%@h": false, "redis://h:x": false, "redis://h/x": false, "h:6379": false, "http://h": false,
	} {
		if _, err := new(secret.Redactor).Redis(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, ok := range map[string]bool{
		"h": true, "h:9092": true, "[::1]:9092": true, "u:p@h:9092": false, "kafka://h:9092": false, "h:x": false, "h:9092/x": false,
	} {
		if err := new(secret.Redactor).Broker(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Of secrets that change, the last two are removed, so that the lists do not grow.
func TestSecretsThatChange(t *testing.T) {
	t.Parallel()
	r := &secret.Redactor{}
	r.Add("constant-one")
	for i := range 100 {
		r.Replace("token", fmt.Sprintf("token-%03d-value", i))
		r.Replace("token", fmt.Sprintf("token-%03d-value", i)) // read again
	}
	got := r.Text("constant-one token-099-value token-098-value token-097-value")
	if want := "(secret) (secret) (secret) token-097-value"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
