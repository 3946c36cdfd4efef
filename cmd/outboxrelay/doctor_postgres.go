package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// checkStore makes the checks that a relay makes when it starts, and reports all problems
// and warnings. It returns why the checks did not end.
func (d *doctor) checkStore(ctx context.Context, c *configuration) error {
	const check = "setup"
	log := &keptWarnings{}
	database, err := d.o.freshDatabase(ctx)
	if err != nil {
		return err
	}
	store, err := newStore(d.o, pgstore.Config{
		Conn: database, Schema: d.o.schema, Mode: d.o.mode, Logger: slog.New(log), ApplicationName: "outboxrelay doctor", MaxSessions: 2,
	})
	if err != nil {
		d.add(broken, check, err.Error(), "a relay does not start with this address", "correct the setting database-url")
		return nil
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, c.connectLimit(d.o)+30*time.Second)
	defer cancel()
	problems, err := store.Examine(ctx)
	for _, p := range problems {
		what := p.Problem
		if p.Err != nil {
			what += ": " + p.Err.Error()
		}
		d.addIncident(incidentOfDatabase(p), broken, check, what, "a relay with these settings refuses to start, or stops", p.Remedy)
	}
	for _, w := range log.kept {
		d.addIncident(w.see(), risky, check, w.text, "", w.remedy)
	}
	if err != nil {
		return err
	}
	d.ok(check, "tables, columns, indexes, sequence, privileges and sessions are what a relay needs; no pooler in transaction mode")
	return nil
}

const (
	// clockTolerance is how far two clocks may differ before the doctor mentions it. Only
	// ages in metrics and created_at of events depend on them.
	clockTolerance = 2 * time.Second
	// fewSessions is how many free sessions are few.
	fewSessions = 10
)

// checkServer looks at sessions and clocks.
func (d *doctor) checkServer(f admin.Facts) {
	s := f.Server
	needs := d.o.maxSessions
	if needs == 0 {
		needs = 4 // the default for one outbox
	}
	free := s.MaxConnections - s.Reserved - s.Used
	for _, limit := range []struct {
		name       string
		most, used int
		fix        string
	}{
		{"the server (max_connections)", s.MaxConnections - s.Reserved, s.Used, "ALTER SYSTEM SET max_connections = …; then restart the server. Or put the services behind a pooler"},
		{"role " + s.Login, s.RoleLimit, s.RoleUsed, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT -1", pgx.Identifier{s.Login}.Sanitize())},
		{"the database", s.DatabaseLimit, s.DatabaseUsed, fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT -1", pgx.Identifier{s.Database}.Sanitize())},
	} {
		if limit.most < 0 { // none
			continue
		}
		what := fmt.Sprintf("%s allows %d sessions, and %d are open", limit.name, limit.most, limit.used)
		if left := limit.most - limit.used; left < needs && s.RelaySessions == 0 {
			d.add(broken, "sessions", what, fmt.Sprintf("a relay needs up to %d", needs), limit.fix)
		} else if left < min(fewSessions, limit.most/10+1) {
			d.add(risky, "sessions", what, "a standby may not be able to take over, and services not to connect", limit.fix)
		}
	}
	d.ok("sessions", "%d of %d sessions are free; relays use %d, and one needs up to %d", free, s.MaxConnections-s.Reserved, s.RelaySessions, needs)

	if off := s.Ahead.Abs() - s.Uncertain; off > clockTolerance {
		direction := "ahead of"
		if s.Ahead < 0 {
			direction = "behind"
		}
		d.add(risky, "clock", fmt.Sprintf("the clock of Postgres is %s %s this machine's", s.Ahead.Abs().Round(time.Millisecond), direction),
			"ages in metrics and created_at are wrong by that, and delayed events are due by the clock of Postgres; the lease does not depend on clocks",
			"synchronise both clocks, for example with chrony: chronyc tracking")
	}
	d.ok("clock", "the clock of Postgres differs from this machine's by %s, ±%s", s.Ahead.Abs().Round(time.Millisecond), s.Uncertain.Round(time.Millisecond))
}

// checkTables looks at what makes the tables slow.
func (d *doctor) checkTables(f admin.Facts) {
	for _, h := range f.HoldingBack {
		since := fmt.Sprintf("%d transactions ago", h.Transactions)
		if h.For > 0 {
			since = h.For.String() + " ago"
		}
		const effect = "vacuum keeps every row that was deleted or changed since; the table grows and reading it gets slower"
		switch h.Kind {
		case "slot":
			d.addIncident(runbook.TableBloated, risky, "vacuum", fmt.Sprintf("the replication slot %s (%s) holds back vacuum by %d transactions", h.Name, h.Detail, h.Transactions), effect,
				fixOfSlot(h.Name))
		case "standby":
			d.addIncident(runbook.TableBloated, risky, "vacuum", fmt.Sprintf("a standby (%s, walsender %s) holds back vacuum by %d transactions with hot_standby_feedback", h.Detail, h.Name, h.Transactions), effect,
				"end the query that is open for long on the standby, or set hot_standby_feedback = off there")
		case "prepared":
			d.addIncident(runbook.TableBloated, risky, "vacuum", fmt.Sprintf("the prepared transaction %s of %s began %s", h.Name, h.Detail, since), effect,
				fmt.Sprintf("COMMIT PREPARED '%[1]s' or ROLLBACK PREPARED '%[1]s'", strings.ReplaceAll(h.Name, "'", "''")))
		default:
			d.addIncident(runbook.TableBloated, risky, "vacuum", fmt.Sprintf("a transaction of session %s (%s) began %s", h.Name, h.Detail, since), effect,
				fmt.Sprintf("ask the team of that application; if it is active, wait: it may be a backup or a new index; if it has been idle in transaction for 5 minutes "+
					"and the team does not answer, run SELECT pg_terminate_backend(%s), which makes its job fail; then set idle_in_transaction_session_timeout", h.Name))
		}
	}
	if !f.Server.Autovacuum {
		d.addIncident(runbook.TableBloated, broken, "vacuum", "autovacuum is off on the server", "the outbox's tables grow without limit", "ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf()")
	}
	for _, t := range f.Tables {
		if t.NeverVacuumed {
			d.addIncident(runbook.TableBloated, broken, "vacuum", "autovacuum is off for "+t.Name, "the table grows without limit", fmt.Sprintf("ALTER TABLE %s RESET (autovacuum_enabled)", d.qualified(t.Name)))
		}
		if t.Bloated() {
			d.addIncident(runbook.TableBloated, risky, "bloat", fmt.Sprintf("%s has %d dead rows for %d live ones, and %s", t.Name, t.Dead, t.Live, megabytes(t.Bytes)),
				"each read goes through dead rows", fmt.Sprintf("VACUUM (ANALYZE) %s; if it removes none, look at the findings of vacuum", d.qualified(t.Name)))
		}
	}
	for _, i := range f.InvalidIndexes {
		d.add(risky, "indexes", fmt.Sprintf("the index %s of %s is not valid, and nobody builds it", i.Name, i.Table),
			"each insert maintains it, and no statement uses it", "DROP INDEX CONCURRENTLY "+d.inSchema(i.Name)+"; then create it again")
	}
	d.ok("vacuum", "nothing holds back vacuum for long, and autovacuum is on")
	d.ok("bloat", "%s", sizes(f.Tables))
	switch {
	case !f.TakesPauses:
		d.add(notable, "audit", "event_outbox_audit is from before pauses of topics", "outboxrelay pause and purge do not work", d.migration("--pauses"))
	case !f.PausesIndexed: // checkStore warns of it with the privileges of a relay
		d.add(notable, "audit", "event_outbox_audit lacks an index that came with pauses", "each renewal of the lease reads all of it", d.migration("--pauses"))
	}
}

// qualified returns the name of a table as SQL.
func (d *doctor) qualified(name string) string {
	return d.inSchema(pgx.Identifier{name}.Sanitize())
}

// inSchema puts the schema before a name as SQL, if it is not the usual one.
func (d *doctor) inSchema(sql string) string {
	if d.o.schema == "" || d.o.schema == "public" {
		return sql
	}
	return pgx.Identifier{d.o.schema}.Sanitize() + "." + sql
}

// migration is the command that applies a migration.
func (d *doctor) migration(kind string) string {
	command := "outboxgen migration " + kind
	if d.o.schema != "" {
		command += " --schema " + quoted(d.o.schema)
	}
	return command + " --format sql" + intoPsql
}

// intoPsql is the end of a command that prints SQL. Without an address, psql might change
// another database.
const intoPsql = ` | psql "$DATABASE_URL"`

// resumed returns the argument of outboxrelay resume.
func resumed(topic string) string {
	if topic == admin.AllTopics {
		return "--all"
	}
	if strings.HasPrefix(topic, "-") {
		return "-- " + quoted(topic)
	}
	return quoted(topic)
}

func sizes(tables []admin.TableFacts) string {
	var parts []string
	for _, t := range tables {
		parts = append(parts, fmt.Sprintf("%s %s", t.Name, megabytes(t.Bytes)))
	}
	return strings.Join(parts, ", ")
}

func megabytes(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// longSilence is how long no relay has to lead before marks of rows are the work of others.
const longSilence = 30 * time.Second

// checkRelays looks at the lease, the settings of the leader, and relays of other kinds.
func (d *doctor) checkRelays(f admin.Facts) {
	l := f.State.Leader
	for _, o := range f.Others {
		d.addIncident(runbook.OldRelay, risky, "relays", fmt.Sprintf("session %d (role %s, application %q, from %s) has changed event_outbox: %s", o.PID, o.Role, o.Application, o.From, deedOf(o)),
			"if it is an older relay, events are published twice and out of order", fmt.Sprintf("stop that relay. It is one if the session does so again while events are inserted: "+
				"SELECT usename, application_name, client_addr, backend_start, state_change, query FROM pg_stat_activity WHERE pid = %d. "+
				"A person's session, or a job that deletes published rows, needs no action", o.PID))
	}
	silent := !l.Known || l.Holder == uuid.Nil || l.Silent > longSilence
	if silent && f.PublishedAgo >= 0 && f.PublishedAgo < longSilence && (!l.Known || l.Silent > longSilence+f.PublishedAgo) {
		d.addIncident(runbook.OldRelay, broken, "relays", fmt.Sprintf("a row was marked as published %s ago although no relay leads", f.PublishedAgo),
			"an older relay, or a job, publishes beside outboxrelay", "find it in pg_stat_activity, and stop it before a relay starts")
	}
	switch {
	case !l.Known || l.Holder == uuid.Nil:
		d.addIncident(runbook.RelayFrozen, risky, "relays", "no relay leads", rowsWait(f.State), cmp.Or(whyNoRelay(f.State.Pauses), "outboxrelay run"))
	case l.Silent > silence:
		d.addIncident(runbook.RelayFrozen, broken, "relays", fmt.Sprintf("the leader's last heartbeat was %s ago, and no other relay took over%s", l.Silent.Round(time.Second), processOf(l.State.Led)),
			rowsWait(f.State), "look at the logs of the relays; end the former leader if it still runs, and start one: outboxrelay run")
	}
	if l.UncleanEnds > 2 {
		fix := "look at the last lines of the logs of the relays; report the bug"
		if l.Suspect != 0 {
			fix = fmt.Sprintf("outboxrelay dead show%s %d; report the bug", d.o.flags, l.Suspect)
		}
		d.add(broken, "relays", crashes(l), "a row may kill the relay", fix)
	}
	if !f.Server.SeesOthers {
		hidden := "what sessions of other roles do is not visible to the role " + f.Server.Login
		const missed = "a relay of another kind that has its own role is not found"
		grant := "GRANT pg_read_all_stats TO " + pgx.Identifier{f.Server.Login}.Sanitize()
		if d.watch > briefly { // somebody looks for such a relay
			d.addIncident(runbook.OldRelay, risky, "relays", hidden, missed+", however long --watch looks", grant)
		} else {
			d.add(notable, "relays", hidden, missed, grant)
		}
	}
	d.compareSettings(l.State.Led)
	if led := l.State.Led; led != nil && l.Holder != uuid.Nil {
		d.ok("relays", "term %d is led by %s, pid %d, since %s; renewed %s ago", l.Epoch, led.Host, led.PID, led.Since.Format(time.RFC3339), l.Silent.Round(100*time.Millisecond))
	} else {
		d.ok("relays", "term %d, renewed %s ago", l.Epoch, l.Silent.Round(100*time.Millisecond))
	}
}

// rowsWait says what it means that no relay leads.
func rowsWait(s admin.State) string {
	switch {
	case s.Pending == 0 && s.AtLeast:
		return "rows may wait: those in the middle of the outbox were not looked at"
	case s.Pending == 0:
		return "no row waits now; one that is inserted waits until a relay leads"
	}
	return "rows wait"
}

// deedOf says what a session did that a relay does.
func deedOf(o admin.OtherPublisher) string {
	if len(o.Query) >= 6 && strings.EqualFold(o.Query[:6], "SELECT") {
		return "it locks rows that are not published, as a relay does before it sends them (… FOR UPDATE): " + o.Query
	}
	return o.Query
}

// compareSettings compares the settings that all relays must share with the leader's.
func (d *doctor) compareSettings(led *relay.Led) {
	if led == nil || len(led.Settings) == 0 {
		return
	}
	own := relay.SharedSettings(d.o.relay)
	if d.o.isLog {
		own["store"] = "log"
	} else {
		own["settle"] = string(d.o.mode)
	}
	for _, name := range sortedKeys(own, led.Settings) {
		if own[name] != led.Settings[name] {
			d.add(broken, "relays", fmt.Sprintf("setting %s is %q here and %q at the leader (%s, pid %d)", name, own[name], led.Settings[name], led.Host, led.PID),
				"relays of one outbox must share it, or they disagree about who leads or what happens to a row", "set the same value for all relays")
		}
	}
}

// fixOfReason says which command helps; "" if the text or the runbook says it.
func (d *doctor) fixOfReason(r reason) string {
	switch {
	case r.kind == reasonDead:
		return "outboxrelay dead list" + d.o.flags
	case r.kind == reasonPause || r.see != "":
		return ""
	default:
		return "look at the log of the relay"
	}
}

// checkOfRows is the check of what waits, for which other checks may have found the cause.
const checkOfRows = "rows"

// checkRows says why rows do not move.
func (d *doctor) checkRows(f admin.Facts) {
	s := f.State
	for _, reason := range reasons(s) {
		l := risky
		switch {
		case reason.kind == reasonPause:
			l = notable
		case reason.kind == reasonDead || stuck(s) > time.Minute:
			l = broken
		}
		d.addIncident(reason.see, l, checkOfRows, reason.String(), "", d.fixOfReason(reason))
	}
	for _, p := range s.Pauses {
		d.add(notable, checkOfRows, describePause(p), "its rows wait", "outboxrelay resume"+d.o.flags+" "+resumed(p.Topic))
	}
	d.ok(checkOfRows, "%s pending, %s retrying, %s dead", countedPending(s), counted(s.Retrying), counted(s.Dead))
}
