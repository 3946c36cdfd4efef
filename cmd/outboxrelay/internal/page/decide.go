package page

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// decideView asks for a confirmation, and says exactly what will happen.
type decideView struct {
	frame

	Verb, Name         string
	DeadLink           string
	Discards           bool
	Problem            string // why the previous attempt changed nothing
	Words              string // what is selected
	Count              int
	CountText          string
	More               bool
	Most               string
	Rows               []letter
	MoreRows           string
	Keys               string
	Topics             []string
	Earlier            []earlierView
	EarlierCount       int
	TooMany            bool
	WithEarlier        bool
	LeaveEarlier       bool
	At, Digest, Reason string
	Hidden             []field
	Command            string
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

type earlierView struct{ Seq, Row, Type, Topic, Key string }

// shownRows limits what a confirmation lists.
const shownRows = 20

// request is what a form asks for.
type request struct {
	do     string
	chosen selection
	form   url.Values
}

// readRequest reads a form. If it is wrong, it answers.
func (p *Page) readRequest(w http.ResponseWriter, r *http.Request) (o Outbox, q request, ok bool) {
	if o, ok = p.named(w, r); !ok {
		return o, q, false
	}
	q = request{do: r.Form.Get("do"), form: r.Form}
	var err error
	if q.chosen, err = readSelection(r.Form); err != nil || q.do != "replay" && q.do != "discard" {
		p.refuse(w, r, http.StatusBadRequest, "This address is not complete", errBadSelection.Error())
		return o, q, false
	}
	if q.chosen.ids == nil && r.Form.Get("scope") != "filter" {
		p.refuse(w, r, http.StatusBadRequest, "No rows are selected", "Go back, and select the rows in the list. Nothing was changed.")
		return o, q, false
	}
	return o, q, true
}

// propose shows what a decision would do.
func (p *Page) propose(w http.ResponseWriter, r *http.Request) {
	o, q, ok := p.readRequest(w, r)
	if !ok {
		return
	}
	made, err := p.makePlan(r.Context(), o, q.chosen, q.do == "replay", time.Time{})
	if err != nil {
		p.fail(w, r, "read the dead rows", err)
		return
	}
	p.ask(w, r, http.StatusOK, o, q, made, "")
}

// ask asks for a confirmation.
func (p *Page) ask(w http.ResponseWriter, r *http.Request, code int, o Outbox, q request, made plan, problem string) {
	verb := map[string]string{"replay": "Replay", "discard": "Discard"}[q.do]
	view := decideView{
		frame: p.frame(r, verb+" dead rows of "+visible(o.Name)), Verb: verb, Name: visible(o.Name),
		DeadLink: address("dead", "outbox", o.Name), Discards: q.do == "discard", Problem: problem, Words: q.chosen.words(),
		Count: len(made.rows), CountText: several(int64(len(made.rows)), "dead row"), More: made.more, Most: grouped(mostPlanned),
		TooMany: made.tooMany, EarlierCount: len(made.earlier),
		WithEarlier: q.form.Get("earlier") == "with", LeaveEarlier: q.form.Get("earlier") == "leave",
		At: strconv.FormatInt(made.at.UnixMicro(), 10), Digest: made.digest(), Reason: q.form.Get("reason"),
		Command: p.command(o, q),
	}
	for _, l := range made.rows[:min(len(made.rows), shownRows)] {
		view.Rows = append(view.Rows, p.letter(o, l))
	}
	if more := len(made.rows) - len(view.Rows); more > 0 {
		view.MoreRows = several(int64(more), "more row")
	}
	if keys := made.keys(); keys > 0 {
		view.Keys = several(int64(keys), "key")
	}
	for _, l := range made.rows {
		if topic := visible(l.Topic); !slices.Contains(view.Topics, topic) && len(view.Topics) < shownRows {
			view.Topics = append(view.Topics, topic)
		}
	}
	for _, l := range made.earlier[:min(len(made.earlier), shownRows)] {
		view.Earlier = append(view.Earlier, earlierView{
			Seq: strconv.FormatInt(l.Seq, 10), Row: address("row", "outbox", o.Name, "id", l.EventID.String()),
			Type: visible(l.EventType), Topic: visible(l.Topic), Key: visible(l.Key),
		})
	}
	pairs := slices.Concat([]string{"outbox", o.Name, "do", q.do, "scope", q.form.Get("scope")}, q.chosen.pairs())
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			view.Hidden = append(view.Hidden, field{pairs[i], pairs[i+1]})
		}
	}
	p.show(w, code, "decide", view)
}

// command returns the command that does the same.
func (p *Page) command(o Outbox, q request) string {
	var b strings.Builder
	b.WriteString("outboxrelay dead " + q.do)
	flag := func(name, value string) {
		if value != "" {
			b.WriteString(" --" + name + " " + shellWord(value))
		}
	}
	if len(p.cfg.Outboxes()) > 1 {
		flag("outbox", o.Name)
	}
	older, newer, _ := q.chosen.span()
	flag("event-type", q.chosen.Type)
	flag("topic", q.chosen.Topic)
	flag("key", q.chosen.Key)
	flag("error", q.chosen.Error)
	if older > 0 {
		flag("older-than", older.String())
	}
	if newer > 0 {
		flag("newer-than", newer.String())
	}
	for _, id := range q.chosen.ids {
		flag("event-id", id.String())
	}
	if q.chosen.any() {
		b.WriteString(" --all")
	}
	b.WriteString(" --reason '…'")
	return b.String()
}

// decide carries out a decision that was confirmed.
func (p *Page) decide(w http.ResponseWriter, r *http.Request) {
	o, q, ok := p.readRequest(w, r)
	if !ok {
		return
	}
	micro, err := strconv.ParseInt(r.PostFormValue("at"), 10, 64)
	if err != nil || micro <= 0 {
		p.refuse(w, r, http.StatusBadRequest, "The confirmation is not complete", "Start again from the list. Nothing was changed.")
		return
	}
	made, err := p.makePlan(r.Context(), o, q.chosen, q.do == "replay", time.UnixMicro(micro))
	if err != nil {
		p.fail(w, r, "read the dead rows", err)
		return
	}
	if made.digest() != r.PostFormValue("digest") {
		if made, err = p.makePlan(r.Context(), o, q.chosen, q.do == "replay", time.Time{}); err != nil {
			p.fail(w, r, "read the dead rows", err)
			return
		}
		p.ask(w, r, http.StatusConflict, o, q, made, "The dead rows have changed since you looked. Nothing was done. This is what it would be now.")
		return
	}
	by := admin.Decision{Actor: p.cfg.Access.visitor(r).user, Reason: strings.TrimSpace(strings.ToValidUTF8(r.PostFormValue("reason"), ""))}
	if problem := q.incomplete(made, by); problem != "" {
		p.ask(w, r, http.StatusUnprocessableEntity, o, q, made, problem+" Nothing was done.")
		return
	}
	ids := made.ids(q.form.Get("earlier") == "with")
	done, err := p.carryOut(r.Context(), o, q.do, ids, by)
	p.cfg.Log.Info("dead rows decided on the page", "outbox", o.Name, "action", q.do, "rows", done, "selected", len(ids), "actor", by.Actor, "reason", by.Reason)
	if err != nil {
		p.fail(w, r, fmt.Sprintf("%s %s: %s were done, then it stopped", q.do, several(int64(len(ids)), "dead row"), grouped(int64(done))), err)
		return
	}
	result := map[string]string{"replay": "replayed", "discard": "discarded"}[q.do]
	redirect(w, address("dead", "outbox", o.Name, result, strconv.Itoa(done)))
}

// incomplete says what a confirmation lacks; "": nothing.
func (q request) incomplete(made plan, by admin.Decision) string {
	earlier := q.form.Get("earlier")
	switch {
	case len(made.rows) == 0:
		return "No dead rows match any more."
	case len([]rune(by.Reason)) > 1000:
		return "The reason is longer than 1,000 characters."
	case q.do == "replay" && len(made.earlier) > 0 && earlier != "with" && earlier != "leave":
		return "Choose what happens to the earlier rows of the same keys."
	case q.do == "replay" && made.tooMany && earlier == "with":
		return "There are too many earlier rows for one decision: replay them first, for example with a filter for the key."
	case q.do == "discard" && by.Reason == "":
		return "Enter the reason: the rows cannot be looked at later, so the audit needs to know why."
	case q.do == "discard" && strings.NewReplacer(",", "", " ", "").Replace(q.form.Get("count")) != strconv.Itoa(len(made.rows)):
		return "Enter the number of rows, to confirm that you have read it."
	}
	return ""
}

// carryOut acts on the events, a thousand in one transaction.
func (p *Page) carryOut(ctx context.Context, o Outbox, do string, ids []uuid.UUID, by admin.Decision) (done int, err error) {
	// A browser that leaves does not stop a decision in the middle.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	act := admin.Replay
	if do == "discard" {
		act = admin.Discard
	}
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		for chunk := range slices.Chunk(ids, 1000) {
			n, err := act(ctx, conn, admin.Filter{EventIDs: chunk}, by)
			done += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return done, err
}
