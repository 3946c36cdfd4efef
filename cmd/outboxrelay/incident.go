package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// incidentOfDatabase returns the incident of the runbook that an error of the database
// belongs to.
func incidentOfDatabase(err error) runbook.Incident {
	if err == nil {
		return ""
	}
	if strings.Contains(err.Error(), "pooler in transaction or statement mode") || strings.Contains(err.Error(), "unsupported startup parameter") {
		return runbook.PoolerInTheWay
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		const invalidPassword, invalidAuthorization = "28P01", "28000"
		const startingUp, readOnly = "57P03", "25006"
		switch refused.Code {
		case invalidPassword, invalidAuthorization:
			return runbook.WrongCredentials
		case startingUp, readOnly:
			return runbook.PrimaryFailedOver
		}
		return ""
	}
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		if setup.Transient { // a standby answers
			return runbook.PrimaryFailedOver
		}
		return ""
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return runbook.PrimaryFailedOver
	}
	return ""
}

// fixOfDatabase says what to do in an incident of the database; "" if it is none.
func fixOfDatabase(i runbook.Incident) string {
	switch i {
	case runbook.WrongCredentials:
		return "write the current password into the file of the setting database-password-file, which is read for each new session, or into database-url"
	case runbook.PrimaryFailedOver:
		return "look whether the database runs; if another server took over, list every host in database-url, with target_session_attrs=read-write"
	case runbook.PoolerInTheWay:
		return "set database-url to the server's own address, or to a pool in session mode"
	default:
		return ""
	}
}

// incidentOfKafka is incidentOfDatabase for an error of Kafka.
func incidentOfKafka(text string) runbook.Incident {
	if strings.Contains(text, "SASL_AUTHENTICATION_FAILED") {
		return runbook.WrongCredentials
	}
	return runbook.BrokerDown
}

// incidentOfReason returns the incident of what a leader says about itself
// (relay.Status.Reason).
func incidentOfReason(reason string) runbook.Incident {
	switch {
	case strings.HasPrefix(reason, "Kafka unavailable"):
		return incidentOfKafka(reason)
	case strings.HasPrefix(reason, "topic "):
		return runbook.TopicMissing
	case strings.HasPrefix(reason, "partition "):
		return runbook.BrokerDown
	case strings.Contains(reason, "held by"):
		return runbook.PoisonRecord
	}
	return ""
}

// incidentsOf lists the incidents of the reasons and of paused topics, each once.
func incidentsOf(reasons []reason, s admin.State) []runbook.Incident {
	var out []runbook.Incident
	add := func(i runbook.Incident) {
		if i != "" && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	for _, r := range reasons {
		add(r.see)
	}
	if len(s.Leader.State.PausedTopics) > 0 {
		add(runbook.TopicMissing)
	}
	return out
}

// urlsOf returns the addresses of incidents.
func urlsOf(incidents []runbook.Incident) []string {
	var out []string
	for _, i := range incidents {
		out = append(out, i.URL())
	}
	return out
}

// withRunbook adds to an error of the database where the runbook says how to fix it.
func withRunbook(err error) error {
	if i := incidentOfDatabase(err); i != "" {
		return fmt.Errorf("%w\nsee %s", err, i.URL())
	}
	return err
}

// processOf says where the leader runs, if it has said so.
func processOf(led *relay.Led) string {
	if led == nil || led.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d on host %s)", led.PID, led.Host)
}
