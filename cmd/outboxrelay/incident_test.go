package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
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

func TestIncidentOfAnErrorOfTheDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want runbook.Incident
	}{
		{"none", nil, ""},
		{"another error", errors.New("x"), ""},
		{"wrong password", fmt.Errorf("connect: %w", &pgconn.PgError{Code: "28P01"}), runbook.WrongCredentials},
		{"starting up", &pgconn.PgError{Code: "57P03"}, runbook.PrimaryFailedOver},
		{"a missing table", &pgconn.PgError{Code: "42P01"}, ""},
		{"a pooler that refuses a parameter", &pgconn.PgError{Code: "08P01", Message: "unsupported startup parameter: search_path"}, runbook.PoolerInTheWay},
		{"a pooler", &relay.SetupError{Problem: "a pooler in transaction or statement mode is in between"}, runbook.PoolerInTheWay},
		{"a standby", &relay.SetupError{Problem: "the server is a standby", Transient: true}, runbook.PrimaryFailedOver},
		{"a missing privilege", &relay.SetupError{Problem: "the role lacks a privilege"}, ""},
	} {
		if got := incidentOfDatabase(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
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

func TestIncidentOfWhatTheLeaderSays(t *testing.T) {
	t.Parallel()
	got := map[string]runbook.Incident{}
	for _, reason := range []string{
		"Kafka unavailable, retrying: dial", "Kafka unavailable, retrying: SASL_AUTHENTICATION_FAILED", "topic a is paused: b",
		"partition 1 of a is set aside: b", "1 key is held by a failed row", "3 keys are held by failed rows", "the sink is being opened",
	} {
		got[reason] = incidentOfReason(reason)
	}
	want := map[string]runbook.Incident{
		"Kafka unavailable, retrying: dial":                       runbook.BrokerDown,
		"Kafka unavailable, retrying: SASL_AUTHENTICATION_FAILED": runbook.WrongCredentials,
		"topic a is paused: b":                                    runbook.TopicMissing,
		"partition 1 of a is set aside: b":                        runbook.BrokerDown,
		"1 key is held by a failed row":                           runbook.PoisonRecord,
		"3 keys are held by failed rows":                          runbook.PoisonRecord,
		"the sink is being opened":                                "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
