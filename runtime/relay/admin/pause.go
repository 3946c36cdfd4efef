package admin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// AllTopics stands for all topics in Pause and Resume.
const AllTopics = ""

// Errors of Pause and Resume.
var (
	// ErrPaused is returned by Pause if the topic is paused already.
	ErrPaused = errors.New("admin: it is paused already")
	// ErrNotPaused is returned by Resume if there is no such pause.
	ErrNotPaused = errors.New("admin: it is not paused")
	// ErrNoPauses is returned by Pause and Purge if event_outbox_audit is from before them.
	ErrNoPauses = errors.New("admin: event_outbox_audit is from before pauses and purges: " +
		"apply what `outboxgen migration --pauses` prints, and upgrade all relays")
)

// Pauses returns the pauses of topics that are in force, oldest first.
func Pauses(ctx context.Context, db DB) ([]relay.OperatorPause, error) {
	rows, err := admindb.New(db).ReadPauses(ctx)
	if err != nil {
		return nil, fmt.Errorf("admin: read the pauses: %w", missing(err))
	}
	out := []relay.OperatorPause{}
	for _, r := range rows {
		out = append(out, relay.OperatorPause{Topic: r.Topic, Actor: r.Actor, Reason: r.Reason, Since: r.At})
	}
	return out, nil
}

// UsesTopic reports whether a row has the topic, of the first 10,000 that are pending, dead
// or delayed, and of the latest 10,000. It is for telling a misspelt name. If used is false,
// known says whether the topics of all these rows were looked at: writers from before an
// upgrade put the topic into event_data, which is not read.
func UsesTopic(ctx context.Context, db DB, topic string) (used, known bool, err error) {
	rows, err := rowsOf(ctx, db)
	if err != nil {
		return false, false, err
	}
	found, err := rows.usesTopic(ctx, topic)
	if err != nil {
		return false, false, fmt.Errorf("admin: look for rows of the topic: %w", missing(err))
	}
	return found.Used, found.Used || !found.Unread, nil
}

// Pause pauses a topic, or AllTopics: the leading relay stops to send its rows within about
// a second, and every later leader before it sends anything. Rows in flight are still sent,
// and new rows can be inserted. The pause lasts until Resume. Decision.Reason is required,
// because others will ask why rows wait.
func Pause(ctx context.Context, conn Beginner, topic string, d Decision) error {
	changed, err := PauseTopics(ctx, conn, []string{topic}, d)
	if err == nil && len(changed) == 0 {
		return ErrPaused
	}
	return err
}

// PauseTopics pauses topics like Pause, all in one transaction, and returns those that were
// not paused before. The others keep their pauses.
func PauseTopics(ctx context.Context, conn Beginner, topics []string, d Decision) (changed []string, err error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(d.Reason) == "" {
		return nil, errors.New("admin: Decision.Reason is empty: others need to know why the rows wait")
	}
	for _, topic := range topics {
		if topic != AllTopics && !validTopic(topic) {
			return nil, fmt.Errorf("admin: there can be no topic %q: Kafka allows 1 to 249 characters of a-z A-Z 0-9 . _ - and neither \".\" nor \"..\"", topic)
		}
	}
	err = changePauses(ctx, conn, func(tx pgx.Tx, pauses []relay.OperatorPause) error {
		changed = nil
		for _, topic := range topics {
			if slices.ContainsFunc(pauses, of(topic)) || slices.Contains(changed, topic) {
				continue
			}
			err := addEntry(ctx, tx, "pause", topic, d)
			if sqlstate.Code(err) == "23514" {
				return fmt.Errorf("%w: %w", ErrNoPauses, err)
			}
			if err != nil {
				return err
			}
			changed = append(changed, topic)
		}
		return nil
	}, func(pauses []relay.OperatorPause) bool {
		return !slices.ContainsFunc(topics, func(topic string) bool { return !slices.ContainsFunc(pauses, of(topic)) })
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// Resume ends the pause of a topic. With AllTopics it ends all pauses, also those of single
// topics. A topic that was not paused by itself stays paused while all topics are.
func Resume(ctx context.Context, conn Beginner, topic string, d Decision) error {
	return ResumeTopics(ctx, conn, []string{topic}, d)
}

// ResumeTopics ends the pauses of topics like Resume, all in one transaction. If one of them
// is not paused, it changes nothing and returns a *TopicError.
func ResumeTopics(ctx context.Context, conn Beginner, topics []string, d Decision) error {
	return ResumeChosen(ctx, conn, func([]relay.OperatorPause) ([]string, error) { return topics, nil }, d)
}

// ResumeChosen is ResumeTopics for the topics that choose picks from the pauses in force. No
// pause begins or ends between its call and the resume. After an error of choose nothing is
// changed, and it is returned.
func ResumeChosen(ctx context.Context, conn Beginner, choose func(inForce []relay.OperatorPause) (topics []string, err error), d Decision) error {
	if err := d.Validate(); err != nil {
		return err
	}
	paused := func(topic string, pauses []relay.OperatorPause) bool {
		return slices.ContainsFunc(pauses, of(topic)) || topic == AllTopics && len(pauses) > 0
	}
	var topics []string
	return changePauses(ctx, conn, func(tx pgx.Tx, pauses []relay.OperatorPause) (err error) {
		if topics, err = choose(pauses); err != nil {
			return err
		}
		for i, topic := range topics {
			switch {
			case slices.Contains(topics[:i], topic):
				continue
			case !paused(topic, pauses):
				return &TopicError{topic, ErrNotPaused}
			}
			if err := addEntry(ctx, tx, "resume", topic, d); err != nil {
				return err
			}
		}
		return nil
	}, func(pauses []relay.OperatorPause) bool {
		return !slices.ContainsFunc(topics, func(topic string) bool { return paused(topic, pauses) })
	})
}

// TopicError says which topic a decision could not be made about.
type TopicError struct {
	Topic string // AllTopics: all
	Err   error
}

func (e *TopicError) Error() string {
	if e.Topic == AllTopics {
		return "all topics: " + e.Err.Error()
	}
	return "topic " + e.Topic + ": " + e.Err.Error()
}

func (e *TopicError) Unwrap() error { return e.Err }

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func validTopic(name string) bool { return topicName.MatchString(name) && name != "." && name != ".." }

func of(topic string) func(relay.OperatorPause) bool {
	return func(p relay.OperatorPause) bool { return p.Topic == topic }
}

func addEntry(ctx context.Context, tx pgx.Tx, action, topic string, d Decision) error {
	err := admindb.New(tx).AddEntry(ctx, admindb.AddEntryParams{
		Actor: d.Actor, Action: action, Topic: optional(topic), Reason: optional(strings.TrimSpace(d.Reason)),
	})
	if err != nil {
		return fmt.Errorf("admin: record the decision: %w", missing(err))
	}
	return nil
}

// changePauses makes a change in a transaction and checks that it is there: a trigger may
// have prevented it without an error.
func changePauses(ctx context.Context, conn Beginner, change func(pgx.Tx, []relay.OperatorPause) error, done func([]relay.OperatorPause) bool) error {
	return transact(ctx, conn, func(tx pgx.Tx) error {
		if err := refuseHidden(ctx, tx); err != nil {
			return err
		}
		if err := admindb.New(tx).LockPauses(ctx); err != nil {
			return fmt.Errorf("admin: wait for other decisions about pauses: %w", err)
		}
		pauses, err := Pauses(ctx, tx)
		if err != nil {
			return err
		}
		if err := change(tx, pauses); err != nil {
			return err
		}
		if pauses, err = Pauses(ctx, tx); err != nil {
			return err
		}
		if !done(pauses) {
			return errors.New("admin: event_outbox_audit took no entry, without which the relay does not learn of the decision; " +
				"nothing was changed: look for a trigger on event_outbox_audit")
		}
		return nil
	})
}
