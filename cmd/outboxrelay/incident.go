package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// incidentOfDatabase returns the incident of the runbook that an error of the database
// belongs to.
func incidentOfDatabase(err error) runbook.Incident {
	if err == nil || errors.Is(err, context.Canceled) { // somebody has ended it
		return ""
	}
	if _, ok := errors.AsType[*otherSchemaError](err); ok || errors.Is(err, pgstore.ErrPooler) {
		return runbook.PoolerInTheWay
	}
	if errors.Is(err, pgstore.ErrNoRole) {
		return runbook.WrongCredentials
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch refused.Code {
		case invalidPassword:
			return runbook.WrongCredentials
		case shutdown, crashShutdown, startingUp, readOnly:
			return runbook.PrimaryFailedOver
		case diskFull:
			return runbook.DiskFull
		}
		return ""
	}
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		if setup.Transient { // a standby answers
			return runbook.PrimaryFailedOver
		}
		return ""
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); (connecting || lostConnection(err)) && !misaddressed(err) {
		return runbook.PrimaryFailedOver
	}
	return ""
}

// Codes of Postgres.
const (
	invalidPassword      = "28P01"
	invalidAuthorization = "28000" // no entry in pg_hba.conf
	shutdown             = "57P01"
	crashShutdown        = "57P02"
	startingUp           = "57P03"
	readOnly             = "25006"
	diskFull             = "53100"
)

// lostConnection reports whether a connection ended while it was used.
func lostConnection(err error) bool {
	return slices.ContainsFunc([]error{io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET, net.ErrClosed}, func(lost error) bool { return errors.Is(err, lost) })
}

// misaddressed reports whether the address, or the certificates that it names, cannot lead
// to a server, and no server was down.
func misaddressed(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return lookup.IsNotFound
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	op, ok := errors.AsType[*net.OpError](err)
	alert := ok && op.Op == "remote error" // what package tls calls an alert of the server
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	return untrusted || alert || noTLS || errors.Is(err, pgstore.ErrTLS)
}

// fixOfDatabase says what to do about an error of the database; "": not known.
func fixOfDatabase(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, pgstore.ErrNoRole) {
		return "this server has no such role, or it may not log in: correct the user in the setting database-url, or its host if it is the wrong server. If the role is missing, " +
			"as on a server that was restored, create it (CREATE ROLE … LOGIN), and give it what outboxgen migration --grants prints; if it is there: ALTER ROLE … LOGIN"
	}
	switch incidentOfDatabase(err) {
	case runbook.WrongCredentials:
		return "write the current password into the file of the setting database-password-file, which is read for each new session, or into database-url"
	case runbook.PrimaryFailedOver:
		return "look whether the database runs; if another server took over, list every host in database-url, with target_session_attrs=read-write"
	case runbook.PoolerInTheWay:
		return "set database-url to the server's own address, or to a pool in session mode"
	case runbook.DiskFull:
		return "give the disk of the database more space"
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == invalidAuthorization {
		return "look at pg_hba.conf of the server: it needs an entry for this role, this database and this machine"
	}
	if misaddressed(err) {
		return "correct the host, sslmode or the certificates in the setting database-url"
	}
	return ""
}

// incidentOfKafka is incidentOfDatabase for an error of Kafka.
func incidentOfKafka(err error) runbook.Incident {
	if errors.Is(err, relay.ErrCredentials) || errors.Is(err, kerr.SaslAuthenticationFailed) {
		return runbook.WrongCredentials
	}
	return runbook.BrokerDown
}

// incidentsOfReasons are the incidents of what a leader says about itself.
var incidentsOfReasons = map[relay.ReasonKind]runbook.Incident{
	relay.ReasonKafka:       runbook.BrokerDown,
	relay.ReasonCredentials: runbook.WrongCredentials,
	relay.ReasonTopic:       runbook.TopicMissing,
	relay.ReasonPartition:   runbook.BrokerDown,
	relay.ReasonHeld:        runbook.PoisonRecord,
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

// withRunbook adds to an error of the database where the runbook says how to fix it, once.
func withRunbook(err error) error {
	if _, added := errors.AsType[*explainedError](err); added {
		return err
	}
	if i := incidentOfDatabase(err); i != "" {
		return &explainedError{err, i}
	}
	return err
}

// explainedError is an error that the runbook explains.
type explainedError struct {
	error
	see runbook.Incident
}

func (e *explainedError) Error() string { return e.error.Error() + "\nsee " + e.see.URL() }
func (e *explainedError) Unwrap() error { return e.error }

// processOf says where the leader runs, if it has said so.
func processOf(led *relay.Led) string {
	if led == nil || led.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d on host %s)", led.PID, led.Host)
}
