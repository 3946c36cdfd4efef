package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// decideView asks for a confirmation, and says exactly what will happen.
type decideView struct {
	frame

	Verb, Name         string
	DeadLink           string
	Asked, Blocks      bool
	MoreEarlier        string
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
	MoreTopics         string
	Earlier            []earlierView
	EarlierCount       int
	EarlierText        string
	Newer              []newerView
	NewerCount         int
	MoreNewer          string
	NewerUnknown       string
	NewerSeen          bool
	TooMany            bool
	WithEarlier        bool
	LeaveEarlier       bool
	At, Digest, Reason string
	Hidden             []field
	Command            string
}

// field is a hidden field of a form.
type field struct{ Name, Value string }

// hiddenFields returns the fields for pairs of names and values.
func hiddenFields(pairs []string) (out []field) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, field{pairs[i], pairs[i+1]})
		}
	}
	return out
}

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
	made, err := p.makePlan(r.Context(), o, q.chosen, q.do == "replay", q.do == "replay", time.Time{})
	if err != nil {
		p.failPlan(w, r, o, q, err)
		return
	}
	p.ask(w, r, http.StatusOK, o, q, made, "")
}

// failPlan answers that a decision cannot be prepared.
func (p *Page) failPlan(w http.ResponseWriter, r *http.Request, o Outbox, q request, err error) {
	if !tooSlow(err) {
		p.fail(w, r, "read the dead rows", err)
		return
	}
	p.cfg.Log.Warn("a decision about dead rows takes too long for the page", "outbox", o.Name, "error", err)
	p.refuse(w, r, http.StatusGatewayTimeout, "There are too many dead rows for the page",
		"They could not be read in time. Nothing was changed. Use the command, which has more time: "+p.command(o, q))
}

// ask asks for a confirmation.
func (p *Page) ask(w http.ResponseWriter, r *http.Request, code int, o Outbox, q request, made plan, problem string) {
	verb := map[string]string{"replay": "Replay", "discard": "Discard"}[q.do]
	view := decideView{
		frame: p.frame(r, verb+" dead rows of "+visible(o.Name)), Verb: verb, Name: visible(o.Name),
		DeadLink: q.list(o), Discards: q.do == "discard", Problem: problem, Words: q.chosen.words(),
		Count: len(made.rows), CountText: several(int64(len(made.rows)), "dead row"), More: made.more, Most: grouped(mostPlanned),
		TooMany: made.tooMany, EarlierCount: len(made.earlier), EarlierText: grouped(int64(len(made.earlier))), Blocks: made.blocks,
		Asked:       len(made.earlier) > 0,
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
	topics := made.topics()
	for _, topic := range topics[:min(len(topics), shownRows)] {
		view.Topics = append(view.Topics, visible(topic))
	}
	if more := len(topics) - len(view.Topics); more > 0 {
		view.MoreTopics = several(int64(more), "more topic")
	}
	for _, l := range made.earlier[:min(len(made.earlier), shownRows)] {
		view.Earlier = append(view.Earlier, earlierView{
			Seq: strconv.FormatInt(l.Seq, 10), Row: address("row", "outbox", o.Name, "id", l.EventID.String()),
			Type: visible(l.EventType), Topic: visible(l.Topic), Key: keyText(l.Key),
		})
	}
	if made.tooMany {
		view.EarlierText = "more than " + view.EarlierText
	}
	if more := len(made.earlier) - len(view.Earlier); more > 0 {
		view.MoreEarlier = several(int64(more), "more row")
	}
	view.Newer, view.NewerUnknown = newerViews(o, made.newer)
	view.NewerCount, view.NewerSeen = len(made.newer.Keys), q.form.Get("newer") != ""
	if more := view.NewerCount - len(view.Newer); more > 0 {
		view.MoreNewer = several(int64(more), "more key")
	}
	view.Hidden = hiddenFields(slices.Concat([]string{"outbox", o.Name, "do", q.do, "scope", q.form.Get("scope")}, q.chosen.pairs()))
	p.show(w, code, "decide", view)
}

// list returns the address of the list from which a decision comes, with its filter.
func (q request) list(o Outbox, more ...string) string {
	filter := q.chosen
	filter.ids = nil
	return address("dead", slices.Concat([]string{"outbox", o.Name}, filter.pairs(), more)...)
}

// command returns the command that does the same for the rows that are dead when it runs. The
// reason and the choice about the order are left to whoever runs it.
func (p *Page) command(o Outbox, q request) string {
	var b strings.Builder
	b.WriteString("outboxrelay dead " + q.do)
	p.writeFlags(&b, o, q.chosen)
	if q.chosen.any() {
		b.WriteString(" --all")
	}
	switch q.form.Get("earlier") {
	case "with":
		b.WriteString(" --with-earlier")
	case "leave":
		b.WriteString(" --out-of-order")
	}
	if q.do == "replay" && q.form.Get("newer") != "" {
		b.WriteString(" --despite-newer")
	}
	b.WriteString(" --reason REASON")
	return b.String()
}

// listCommand returns the command that lists what a filter selects.
func (p *Page) listCommand(o Outbox, chosen selection) string {
	b := strings.Builder{}
	b.WriteString("outboxrelay dead list")
	p.writeFlags(&b, o, chosen)
	return b.String()
}

// writeFlags writes the flags that select an outbox and dead rows.
func (p *Page) writeFlags(b *strings.Builder, o Outbox, chosen selection) {
	flag := func(name, value string) {
		if value != "" {
			b.WriteString(" --" + name + " " + shellWord(value))
		}
	}
	b.WriteString(p.only(o))
	f := chosen.filter(0)
	flag("event-type", f.EventType)
	flag("topic", f.Topic)
	if f.Key != nil {
		flag("key", *f.Key)
	}
	flag("error", f.Error)
	if f.OlderThan > 0 {
		flag("older-than", f.OlderThan.String())
	}
	if f.NewerThan > 0 {
		flag("newer-than", f.NewerThan.String())
	}
	for _, id := range f.EventIDs {
		flag("event-id", id.String())
	}
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
	// If the question was not about the order, ReplayInOrder looks at it again.
	orders := q.do == "replay" && q.form.Get("asked") != ""
	made, err := p.makePlan(r.Context(), o, q.chosen, q.do == "replay", orders, time.UnixMicro(micro))
	if err != nil {
		p.failPlan(w, r, o, q, err)
		return
	}
	if made.digest() != r.PostFormValue("digest") {
		p.askAgain(w, r, o, q, "What would happen has changed since you looked. Nothing was done. This is what it would be now.")
		return
	}
	by := admin.Decision{Actor: p.cfg.Access.visitor(r).user, Reason: entered(r.PostFormValue("reason"))}
	if problem := q.incomplete(made, by); problem != "" {
		p.ask(w, r, http.StatusUnprocessableEntity, o, q, made, problem+" Nothing was done.")
		return
	}
	ids := made.ids(q.form.Get("earlier") == "with")
	act := admin.Discard
	switch {
	case q.do == "replay" && q.form.Get("earlier") == "leave":
		act = admin.Replay
	case q.do == "replay":
		act = admin.ReplayInOrder
	}
	done, err := p.carryOut(r.Context(), o, act, ids, by)
	p.changed(o)
	p.cfg.Log.Info("dead rows decided on the page", "outbox", o.Name, "action", q.do, "rows", done, "selected", len(ids), "actor", by.Actor, "reason", by.Reason)
	if disorder := new(admin.OrderError); errors.As(err, &disorder) && done == 0 {
		p.askAgain(w, r, o, q, "An earlier row of a selected key has become dead since you looked. Nothing was done.")
		return
	}
	if err != nil {
		p.fail(w, r, fmt.Sprintf("%s %s: %s were done, then it stopped", q.do, several(int64(len(ids)), "dead row"), grouped(int64(done))), err)
		return
	}
	result := map[string]string{"replay": "replayed", "discard": "discarded"}[q.do]
	more := []string{result, strconv.Itoa(done)}
	if done < len(ids) {
		more = append(more, "of", strconv.Itoa(len(ids)))
	}
	redirect(w, q.list(o, more...))
}

// askAgain asks for a confirmation of what a decision would be now.
func (p *Page) askAgain(w http.ResponseWriter, r *http.Request, o Outbox, q request, problem string) {
	made, err := p.makePlan(r.Context(), o, q.chosen, q.do == "replay", q.do == "replay", time.Time{})
	if err != nil {
		p.failPlan(w, r, o, q, err)
		return
	}
	p.ask(w, r, http.StatusConflict, o, q, made, problem)
}

// tooLong reports whether a reason is longer than the audit takes.
func tooLong(reason string) bool { return utf8.RuneCountInString(reason) > 1000 }

const reasonTooLong = "The reason is longer than 1,000 characters."

// incomplete says what a confirmation lacks; "": nothing.
func (q request) incomplete(made plan, by admin.Decision) string {
	earlier := q.form.Get("earlier")
	switch {
	case len(made.rows) == 0:
		return "No dead rows match any more."
	case tooLong(by.Reason):
		return reasonTooLong
	case q.do == "replay" && len(made.earlier) > 0 && earlier != "with" && earlier != "leave":
		return "Choose what happens to the earlier rows of the same keys."
	case q.do == "replay" && made.tooMany && earlier == "with":
		return "There are too many earlier rows for one decision: replay them first, for example with a filter for the key."
	case q.do == "replay" && q.form.Get("newer") == "" && len(made.newer.Keys) > 0:
		return "Confirm that older states are sent after newer ones."
	case q.do == "replay" && q.form.Get("newer") == "" && made.newer.Unknown != "":
		return "Confirm that older states may be sent after newer ones."
	case q.do == "discard" && by.Reason == "":
		return "Enter the reason: the rows cannot be looked at later, so the audit needs to know why."
	case q.do == "discard" && strings.NewReplacer(",", "", " ", "").Replace(q.form.Get("count")) != strconv.Itoa(len(made.rows)):
		return "Enter the number of rows, to confirm that you have read it."
	}
	return ""
}

// carryOut acts on the events, a thousand in one transaction.
func (p *Page) carryOut(ctx context.Context, o Outbox, act func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error), ids []uuid.UUID, by admin.Decision) (done int, err error) {
	end, err := p.begin()
	if err != nil {
		return 0, err
	}
	defer end()
	// A browser that leaves does not stop a decision in the middle.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		for chunk := range slices.Chunk(ids, 1000) {
			n, err := act(ctx, conn, admin.Filter{EventIDs: chunk}, by)
			done += n
			p.cfg.Log.Info("dead rows being decided on the page", "outbox", o.Name, "rows", done, "selected", len(ids), "actor", by.Actor)
			if err != nil {
				return err
			}
			if done < len(ids) && p.isEnding() {
				return errEnding
			}
		}
		return nil
	})
	return done, err
}
