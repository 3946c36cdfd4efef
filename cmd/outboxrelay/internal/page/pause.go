package page

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// pausePage is the page that pauses or resumes a topic.
type pausePage struct {
	frame

	Outbox, Name, OutboxLink string
	Resumes, All             bool
	Topic, TopicText         string
	Unknown                  bool // no row that was looked at has the topic
	Unchecked                bool // the rows could not be read
	Unread                   bool // no row has it, but some have their topic in event_data, which was not read
	Problem, Reason          string
	Command                  string
	Named                    bool // the topic is chosen: this is the confirmation
	Ends                     []pauseView
	Digest                   string // of the pauses that end
	AllPaused                bool   // after a resume of one topic, all are still paused
}

func (p *Page) proposePause(w http.ResponseWriter, r *http.Request) {
	o, ok := p.named(w, r)
	if !ok {
		return
	}
	p.askPause(w, r, http.StatusOK, o, "")
}

// askPause asks for the topic, and then for a confirmation.
func (p *Page) askPause(w http.ResponseWriter, r *http.Request, code int, o Outbox, problem string) {
	topic, all, resumes := pauseRequest(r)
	verb := "Pause"
	if resumes {
		verb = "Resume"
	}
	view := pausePage{
		frame: p.frame(r, verb+" topics of "+visible(o.Name)), Outbox: o.Name, Name: visible(o.Name), OutboxLink: address("outbox", "outbox", o.Name),
		Resumes: resumes, All: all, Topic: topic, TopicText: visible(topic), Problem: problem, Reason: r.FormValue("reason"), Named: all || topic != "",
	}
	view.Command = "outboxrelay " + strings.ToLower(verb) + " " + shellWord(topic)
	if all {
		view.Command = "outboxrelay " + strings.ToLower(verb) + " --all"
	}
	view.Command += p.only(o)
	if !resumes {
		view.Command += " --reason '…'"
	}
	if view.Named && resumes {
		pauses, err := p.pausesOf(r.Context(), o)
		if err != nil {
			p.fail(w, r, "read the pauses", err)
			return
		}
		ends := endedBy(pauses, topic, all)
		for _, one := range ends {
			view.Ends = append(view.Ends, p.pauseView(o, one))
		}
		view.Digest = digestOf(ends)
		view.AllPaused = !all && len(endedBy(pauses, admin.AllTopics, false)) > 0
	}
	if view.Named && !all && !resumes && problem == "" {
		used, known, err := p.usesTopic(r.Context(), o, topic)
		view.Unknown, view.Unread = err == nil && known && !used, err == nil && !known
		if err != nil { // a slow database must not keep anybody from pausing
			p.cfg.Log.Warn("the page cannot look for rows of a topic", "outbox", o.Name, "topic", topic, "error", err)
			view.Unchecked = true
		}
	}
	p.show(w, code, "pause", view)
}

// usesTopic reports whether a row has the topic, if the database says so soon.
func (p *Page) usesTopic(ctx context.Context, o Outbox, topic string) (used, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		used, known, err = admin.UsesTopic(ctx, conn, topic)
		return err
	})
	return used, known, err
}

func (p *Page) pausesOf(ctx context.Context, o Outbox) (pauses []relay.OperatorPause, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLasts)
	defer cancel()
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		pauses, err = admin.Pauses(ctx, conn)
		return err
	})
	return pauses, err
}

// endedBy returns the pauses that a resume ends.
func endedBy(pauses []relay.OperatorPause, topic string, all bool) []relay.OperatorPause {
	var out []relay.OperatorPause
	for _, one := range pauses {
		if all || one.Topic == topic {
			out = append(out, one)
		}
	}
	return out
}

// digestOf identifies pauses: a resume ends only those that the page has shown.
func digestOf(pauses []relay.OperatorPause) string {
	sum := sha256.New()
	for _, one := range pauses {
		_, _ = fmt.Fprintf(sum, "%q %q %q %d\n", one.Topic, one.Actor, one.Reason, one.Since.UnixMicro()) // a hash takes everything
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// topicsToResume returns the topics whose pauses a resume ends. Those of single topics are
// named, so that a pause that somebody adds at this moment stays.
func topicsToResume(ends []relay.OperatorPause, topic string) []string {
	var topics []string
	for _, one := range ends {
		if one.Topic == admin.AllTopics { // to end this one ends all of them
			return []string{admin.AllTopics}
		}
		topics = append(topics, one.Topic)
	}
	if topics == nil { // there is no such pause, which is an error
		return []string{topic}
	}
	return topics
}

// validTopic is what Kafka accepts as the name of a topic.
var validTopic = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

func pauseRequest(r *http.Request) (topic string, all, resumes bool) {
	return entered(r.FormValue("topic")), r.FormValue("all") != "", r.FormValue("do") == "resume"
}

var errOtherPauses = errors.New("the pauses are not those that were confirmed")

// pause pauses or resumes a topic.
func (p *Page) pause(w http.ResponseWriter, r *http.Request) {
	o, ok := p.named(w, r)
	if !ok {
		return
	}
	topic, all, resumes := pauseRequest(r)
	if all == (topic != "") {
		p.askPause(w, r, http.StatusUnprocessableEntity, o, "Name one topic, or choose all topics. Nothing was changed.")
		return
	}
	if !all && !resumes && (!validTopic.MatchString(topic) || topic == "." || topic == "..") {
		p.askPause(w, r, http.StatusUnprocessableEntity, o, "There can be no such topic: Kafka allows 1 to 249 characters of a-z A-Z 0-9 . _ - and neither \".\" nor \"..\". Nothing was changed.")
		return
	}
	if all {
		topic = admin.AllTopics
	}
	by := admin.Decision{Actor: p.cfg.Access.visitor(r).user, Reason: entered(r.PostFormValue("reason"))}
	if !resumes && by.Reason == "" {
		p.askPause(w, r, http.StatusUnprocessableEntity, o, "Enter the reason: others need to know why the rows wait. Nothing was changed.")
		return
	}
	if tooLong(by.Reason) {
		p.askPause(w, r, http.StatusUnprocessableEntity, o, reasonTooLong+" Nothing was changed.")
		return
	}
	done := "topic paused on the page"
	if resumes {
		done = "topic resumed on the page"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerLasts)
	defer cancel()
	err := p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		if !resumes {
			return admin.Pause(ctx, conn, topic, by)
		}
		return admin.ResumeChosen(ctx, conn, func(inForce []relay.OperatorPause) ([]string, error) {
			ends := endedBy(inForce, topic, all)
			if digestOf(ends) != r.PostFormValue("pauses") {
				return nil, errOtherPauses
			}
			return topicsToResume(ends, topic), nil
		}, by)
	})
	switch {
	case errors.Is(err, errOtherPauses):
		p.askPause(w, r, http.StatusConflict, o, "The pauses have changed since you looked. Nothing was changed. These are the pauses now.")
	case errors.Is(err, admin.ErrPaused):
		p.askPause(w, r, http.StatusConflict, o, "It is paused already. Nothing was changed.")
	case errors.Is(err, admin.ErrNotPaused):
		p.askPause(w, r, http.StatusConflict, o, "It is not paused by itself. Nothing was changed.")
	case err != nil:
		p.fail(w, r, "change the pause", err)
	default:
		p.cfg.Log.Info(done, "outbox", o.Name, "topic", topic, "all", all, "actor", by.Actor, "reason", by.Reason)
		p.changed(o)
		redirect(w, address("outbox", "outbox", o.Name)+"#pauses")
	}
}
