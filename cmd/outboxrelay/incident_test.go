package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// readRunbook returns docs/runbook.md, and the anchors of its sections.
func readRunbook(t *testing.T) (text string, anchors map[string]bool) {
	t.Helper()
	page, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors = map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^##+ (.*)$`).FindAllStringSubmatch(string(page), -1) {
		anchors[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
	}
	return string(page), anchors
}

// Each incident that messages name has a section in the runbook.
func TestTheRunbookHasEachIncident(t *testing.T) {
	t.Parallel()
	_, anchors := readRunbook(t)
	for _, i := range runbook.All() {
		if !anchors[string(i)] {
			t.Errorf("docs/runbook.md has no section #%s", i)
		}
	}
}

// Each alert leads to a section of the runbook, which names it.
func TestAlertsLeadToTheRunbook(t *testing.T) {
	t.Parallel()
	text, anchors := readRunbook(t)
	for _, r := range alertRules(t) {
		anchor, ok := strings.CutPrefix(r.Annotations.RunbookURL, runbook.Page+"#")
		if !ok || !anchors[anchor] {
			t.Errorf("runbook_url of %s is %q, which is no section of docs/runbook.md", r.Alert, r.Annotations.RunbookURL)
		}
		if !strings.Contains(text, "`"+r.Alert+"`") {
			t.Errorf("docs/runbook.md does not name the alert %s", r.Alert)
		}
	}
}

// Whatever status gives as a reason, the table of the runbook leads to the incident that status
// names.
func TestTheRunbookHasEachReason(t *testing.T) {
	t.Parallel()
	text, _ := readRunbook(t)
	_, table, _ := strings.Cut(text, "\n## Which incident\n")
	table, _, _ = strings.Cut(table, "\nBy the alert:\n")
	listed := func(r reason) bool {
		for line := range strings.Lines(table) {
			if !strings.Contains(line, "](#"+string(r.see)+")") {
				continue
			}
			for _, quote := range regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(line, -1) {
				parts := strings.Split(quote[1], "…")
				for i := range parts {
					parts[i] = regexp.QuoteMeta(parts[i])
				}
				if regexp.MustCompile(strings.Join(parts, ".*")).MatchString(r.text) {
					return true
				}
			}
		}
		return false
	}
	led := admin.Leader{Known: true, Holder: uuid.New(), State: relay.Status{Leader: true}}
	with := func(s relay.Status) admin.State {
		l := led
		s.Leader, l.State = true, s
		return admin.State{Leader: l, Retrying: 1}
	}
	topics := []relay.Paused{{Topic: "a", Reason: "not allowed"}, {Topic: "b", Reason: "not allowed"}}
	silent := led
	silent.Silent = time.Minute
	for _, s := range []admin.State{
		{Pending: 1},
		{Pending: 1, Leader: silent},
		{Leader: led, Retrying: 1, Dead: 1},
		{Leader: led, Pending: 1, OldestUnpaused: &admin.Row{Age: time.Minute}},
		with(relay.Status{Reason: "Kafka unavailable, retrying: x", ReasonKind: relay.ReasonKafka}),
		with(relay.Status{Reason: "topic a is paused: not allowed", ReasonKind: relay.ReasonTopic, PausedTopics: topics[:1]}),
		with(relay.Status{Reason: "topic a is paused: not allowed", ReasonKind: relay.ReasonTopic, PausedTopics: topics, PausedTopicCount: 2}),
		with(relay.Status{PausedTopics: topics[:1], PausedTopicCount: 1}),
		with(relay.Status{Reason: "partition 1 of a is set aside: x", ReasonKind: relay.ReasonPartition}),
		with(relay.Status{SetAside: topics[:1], SetAsideCount: 1}),
		with(relay.Status{SetAside: topics, SetAsideCount: 2}),
		with(relay.Status{Reason: "1 key is held by a failed row", ReasonKind: relay.ReasonHeld}),
		with(relay.Status{Reason: "2 keys are held by failed rows", ReasonKind: relay.ReasonHeld}),
	} {
		found := reasons(s)
		if len(found) == 0 {
			t.Errorf("%+v has no reason", s)
		}
		for _, r := range found {
			if r.see != "" && !listed(r) {
				t.Errorf("docs/runbook.md does not lead from %q to %s", r, r.see)
			}
		}
	}
}

func TestIncidentOfAnErrorOfTheDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want runbook.Incident
	}{
		{"none", nil, ""},
		{"another error", errors.New("x"), ""},
		{"somebody ended it", notConnected(context.Canceled), ""},
		{"wrong password", fmt.Errorf("connect: %w", &pgconn.PgError{Code: "28P01"}), runbook.WrongCredentials},
		{"no entry in pg_hba.conf", &pgconn.PgError{Code: "28000", Routine: "ClientAuthentication"}, ""},
		{"no such role, or it may not log in", fmt.Errorf("its text does not matter: %w", pgstore.ErrNoRole), runbook.WrongCredentials},
		{"shutting down", fmt.Errorf("the first query: %w", &pgconn.PgError{Code: "57P01"}), runbook.PrimaryFailedOver},
		{"the connection breaks", fmt.Errorf("the first query: %w", &net.OpError{Op: "write", Err: syscall.EPIPE}), runbook.PrimaryFailedOver},
		{"the disk is full", &pgconn.PgError{Code: "53100"}, runbook.DiskFull},
		{"no such host", notConnected(&net.DNSError{IsNotFound: true}), ""},
		{"one of two hosts is unknown", notConnected(errors.Join(&net.DNSError{IsNotFound: true}, syscall.ECONNREFUSED)), runbook.PrimaryFailedOver},
		{"an untrusted certificate", notConnected(&tls.CertificateVerificationError{Err: errors.New("x")}), ""},
		{"no TLS, and the address requires it", notConnected(fmt.Errorf("its text does not matter: %w", pgstore.ErrTLS)), ""},
		{"a pooler that drops the search_path", fmt.Errorf("outbox a: %w", &otherSchemaError{}), runbook.PoolerInTheWay},
		{"starting up", &pgconn.PgError{Code: "57P03"}, runbook.PrimaryFailedOver},
		{"a missing table", &pgconn.PgError{Code: "42P01"}, ""},
		{"a pooler that refuses a parameter", fmt.Errorf("its text does not matter: %w", pgstore.ErrPooler), runbook.PoolerInTheWay},
		{"a pooler", &relay.SetupError{Problem: "its text does not matter", Err: pgstore.ErrPooler}, runbook.PoolerInTheWay},
		{"a standby", &relay.SetupError{Problem: "the server is a standby", Transient: true}, runbook.PrimaryFailedOver},
		{"a missing privilege", &relay.SetupError{Problem: "the role lacks a privilege"}, ""},
	} {
		if got := incidentOfDatabase(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// notConnected is the error of an attempt to connect.
func notConnected(err error) error {
	connecting := &pgconn.ConnectError{Config: &pgconn.Config{}}
	return fmt.Errorf("%w: %w", connecting, err)
}

// What the leader does not give as its reason leads to the runbook too, in status and in
// doctor.
func TestHiddenFaultsLeadToTheRunbook(t *testing.T) {
	t.Parallel()
	state := admin.State{Leader: admin.Leader{Known: true, Holder: uuid.New()}}
	state.Leader.State.PausedTopics = []relay.Paused{{Topic: "a", Reason: "gone"}}
	state.Leader.State.SetAside = []relay.Paused{{Topic: "b", Partition: 3, Reason: "no leader"}}
	want := []reason{
		{kind: reasonFault, text: "1 topic cannot be written: a: gone", see: runbook.TopicMissing},
		{kind: reasonFault, text: "1 partition cannot be written, such as 3 of b: no leader", see: runbook.BrokerDown},
	}
	if diff := cmp.Diff(want, reasons(state), cmp.AllowUnexported(reason{})); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	d := &doctor{o: outbox{secrets: &secret.Redactor{}}}
	d.checkRows(admin.Facts{State: state})
	var see []string
	for _, f := range d.found {
		see = append(see, f.See)
	}
	if diff := cmp.Diff([]string{runbook.TopicMissing.URL(), runbook.BrokerDown.URL()}, see); diff != "" {
		t.Errorf("doctor (-want +got):\n%s", diff)
	}
}

// A command that does not reach the database says where the runbook helps.
func TestStatusWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	got := call(map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1/d?sslmode=disable"}, "status")
	if got.Code != exitcode.Failed || !strings.HasSuffix(got.Stderr, "\nsee "+runbook.PrimaryFailedOver.URL()+"\n") {
		t.Errorf("%+v", got)
	}
}

// A finding about an address with several hosts is one line.
func TestDoctorWithoutAnyHost(t *testing.T) {
	t.Parallel()
	_, found := examined(t, map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1:1,127.0.0.1:2/d?sslmode=disable"}, "--sink", "stdout")
	refused := func(host string) string {
		return "failed to connect to `user=u database=d`: " + host + " (127.0.0.1): dial error: dial tcp " + host + ": connect: connection refused"
	}
	if diff := cmp.Diff("the database cannot be reached: "+refused("127.0.0.1:1")+"; "+refused("127.0.0.1:2"), found[0].What); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A role that the server does not have is said to be missing, and has a section of the runbook.
func TestARoleThatDoesNotExist(t *testing.T) {
	_, env := newOutbox(t)
	address, err := url.Parse(env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.User("anybody")
	env["DATABASE_URL"] = address.String()
	const said = `refused the role anybody (SQLSTATE 28000): role "anybody" does not exist; ` +
		`the server has no such role, or it may not log in: check the user in the address, and whether it is the right server`
	got := call(env, "status")
	if !strings.HasSuffix(got.Stderr, said+"\nsee "+runbook.WrongCredentials.URL()+"\n") {
		t.Errorf("status: %+v", got)
	}
	_, found := examined(t, env, "--sink", "stdout")
	first := found[0]
	if !strings.HasSuffix(first.What, said) || !strings.HasPrefix(first.Fix, "this server has no such role, or it may not log in: correct the user in the setting database-url") ||
		first.See != runbook.WrongCredentials.URL() {
		t.Errorf("doctor: %+v", first)
	}
}

// What a leader says about itself leads to the runbook by its kind. An earlier version gives
// none.
func TestIncidentOfWhatTheLeaderSays(t *testing.T) {
	t.Parallel()
	want := map[relay.ReasonKind]runbook.Incident{
		relay.ReasonKafka: runbook.BrokerDown, relay.ReasonCredentials: runbook.WrongCredentials, relay.ReasonTopic: runbook.TopicMissing,
		relay.ReasonPartition: runbook.BrokerDown, relay.ReasonHeld: runbook.PoisonRecord, relay.ReasonStore: "", "": "",
	}
	got := map[relay.ReasonKind]runbook.Incident{}
	for kind := range want {
		// Without a row that waits, the reason that a row holds its key is outdated.
		state := admin.State{Retrying: 1, Leader: admin.Leader{Known: true, Holder: uuid.New()}}
		state.Leader.State.Reason, state.Leader.State.ReasonKind = "x", kind
		all := reasons(state)
		if len(all) != 2 || all[0].kind != reasonFault || all[0].text != "x" {
			t.Errorf("%q: %+v", kind, all)
			continue
		}
		got[kind] = all[0].see
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Kafka's answer about credentials is known by its code.
func TestIncidentOfAnErrorOfKafka(t *testing.T) {
	t.Parallel()
	got := []runbook.Incident{incidentOfKafka(fmt.Errorf("wrapped: %w", kerr.SaslAuthenticationFailed)), incidentOfKafka(relay.ErrCredentials), incidentOfKafka(errors.New("SASL"))}
	if diff := cmp.Diff([]runbook.Incident{runbook.WrongCredentials, runbook.WrongCredentials, runbook.BrokerDown}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
