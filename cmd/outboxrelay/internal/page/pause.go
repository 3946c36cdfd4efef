package page

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// pausePage is the page that pauses or resumes a topic.
type pausePage struct {
	frame

	Outbox, Name, OutboxLink string
	Resumes, All             bool
	Topic, TopicText         string
	Unknown                  bool // no row that was looked at has the topic
	Problem, Reason          string
	Command                  string
	Named                    bool // the topic is chosen: this is the confirmation
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
	if len(p.cfg.Outboxes()) > 1 {
		view.Command += " --outbox " + shellWord(o.Name)
	}
	if !resumes {
		view.Command += " --reason '…'"
	}
	if view.Named && !all && !resumes && problem == "" {
		ctx, cancel := context.WithTimeout(r.Context(), answerLasts)
		defer cancel()
		err := p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
			used, err := admin.UsesTopic(ctx, conn, topic)
			view.Unknown = !used
			return err
		})
		if err != nil {
			p.fail(w, r, "look for rows of the topic", err)
			return
		}
	}
	p.show(w, code, "pause", view)
}

func pauseRequest(r *http.Request) (topic string, all, resumes bool) {
	topic = strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(r.FormValue("topic"), "\x00", ""), ""))
	return topic, r.FormValue("all") != "", r.FormValue("do") == "resume"
}

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
	if all {
		topic = admin.AllTopics
	}
	by := admin.Decision{Actor: p.cfg.Access.visitor(r).user, Reason: strings.TrimSpace(strings.ToValidUTF8(r.PostFormValue("reason"), ""))}
	if !resumes && by.Reason == "" {
		p.askPause(w, r, http.StatusUnprocessableEntity, o, "Enter the reason: others need to know why the rows wait. Nothing was changed.")
		return
	}
	act, done := admin.Pause, "topic paused on the page"
	if resumes {
		act, done = admin.Resume, "topic resumed on the page"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerLasts)
	defer cancel()
	err := p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error { return act(ctx, conn, topic, by) })
	switch {
	case errors.Is(err, admin.ErrPaused):
		p.askPause(w, r, http.StatusConflict, o, "It is paused already. Nothing was changed.")
	case errors.Is(err, admin.ErrNotPaused):
		p.askPause(w, r, http.StatusConflict, o, "It is not paused by itself. Nothing was changed.")
	case err != nil:
		p.fail(w, r, "change the pause", err)
	default:
		p.cfg.Log.Info(done, "outbox", o.Name, "topic", topic, "all", all, "actor", by.Actor, "reason", by.Reason)
		redirect(w, address("outbox", "outbox", o.Name)+"#pauses")
	}
}
