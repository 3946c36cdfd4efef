package page

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// rowView is everything about one row.
type rowView struct {
	frame

	Name, OutboxLink, DeadLink string
	ID, State, Level           string
	Spoken                     string
	Facts                      []number
	Error                      string
	Data, Headers              documentView
	DeadOfKey                  []letter
	Behind                     string
	Uncounted                  bool // the other rows of the key could not be read in time
	BehindRows                 []behindRow
	Newer                      []newerView
	NewerUnknown               string
	Audit                      []auditRow
	Dead, MayChange            bool
	Powerless                  bool // the role of the relay may not change dead rows
	Replay, Discard            string
	MoreDead                   string
	Command                    string
}

type documentView struct {
	Text   string
	Note   string // why there is no text, or not all of it
	Hidden bool
}

type behindRow struct {
	Seq, Row, Type string
	At             *moment
}

type auditRow struct {
	At                    *moment
	Action, Actor, Reason string
	Applied               *moment
}

var errNoID = errors.New("the address names no row: it needs an event id, or a seq")

func (p *Page) row(w http.ResponseWriter, r *http.Request) {
	o, ok := p.named(w, r)
	if !ok {
		return
	}
	// The part that changes by itself has nothing of other rows, and no data.
	again := r.Header.Get("HX-Request") != ""
	v := p.cfg.Access.visitor(r)
	found, err := p.event(r.Context(), o, r.FormValue("id"), r.FormValue("seq"), !again, v.mayChange())
	event, led := found.event, found.led
	var gone *admin.DiscardedError
	switch {
	case errors.Is(err, errNoID):
		p.refuse(w, r, http.StatusBadRequest, "This address is not complete", err.Error())
		return
	case errors.As(err, &gone):
		what := map[string]string{"discard": "discarded", "cancel": "cancelled"}[gone.Action]
		p.refuse(w, r, http.StatusNotFound, "The row is not there", fmt.Sprintf("It was %s by %s at %s: %s", what, visible(gone.Actor),
			gone.At.UTC().Format(time.RFC3339), cmp.Or(visible(p.cfg.WithoutSecrets(gone.Reason)), "no reason was given")))
		return
	case errors.Is(err, admin.ErrNoEvent):
		p.refuse(w, r, http.StatusNotFound, "The row is not there", "It was discarded, or it was published and then deleted after the retention. A published row is found by its event id only.")
		return
	case err != nil:
		p.fail(w, r, "read the row", err)
		return
	}
	id := event.EventID.String()
	view := rowView{
		frame: p.frame(r, "Event "+id), Name: visible(o.Name), OutboxLink: address("outbox", "outbox", o.Name), DeadLink: address("dead", "outbox", o.Name),
		ID: id, Error: visibleLines(p.cfg.WithoutSecrets(event.LastError)), Dead: event.State == admin.Dead, MayChange: v.mayChange() && !found.powerless, Powerless: found.powerless,
		Replay:  address("decide", "outbox", o.Name, "do", "replay", "id", id),
		Discard: address("decide", "outbox", o.Name, "do", "discard", "id", id),
		Command: "outboxrelay dead show " + id + p.only(o),
	}
	view.State, view.Level = stateWords(event)
	view.Spoken = view.State
	view.Facts = facts(event)
	if !again {
		view.Data, view.Headers = p.documents(event)
	}
	for _, l := range event.DeadOfKey {
		if len(view.DeadOfKey) == pageRows {
			break
		}
		view.DeadOfKey = append(view.DeadOfKey, p.letter(o, l))
	}
	if len(event.DeadOfKey) > pageRows {
		view.MoreDead = address("dead", "outbox", o.Name, "topic", event.Topic, "key", *event.Key)
	}
	if view.Uncounted = found.uncounted; !view.Uncounted {
		view.Behind = behindWords(event, led)
		view.Newer, view.NewerUnknown = newerViews(o, event.Newer)
	}
	for _, b := range event.BehindFirst {
		view.BehindRows = append(view.BehindRows, behindRow{
			Seq: strconv.FormatInt(b.Seq, 10), Row: address("row", "outbox", o.Name, "id", b.EventID.String()), Type: visible(b.EventType), At: at(b.CreatedAt),
		})
	}
	for _, a := range event.Audit {
		view.Audit = append(view.Audit, auditRow{
			At: at(a.At), Action: visible(a.Action), Actor: visible(a.Actor), Reason: visible(p.cfg.WithoutSecrets(a.Reason)), Applied: at(a.AppliedAt),
		})
	}
	p.show(w, http.StatusOK, "row", view)
}

// found is a row, and what its leader says about itself.
type found struct {
	event     admin.Event
	led       *relay.Led
	uncounted bool // the other rows of its key could not be read in time
	powerless bool // the role may not decide about it
}

// event reads a row by its event id or its seq, and if wanted its documents and the other rows
// of its key. If asked about a dead row, it says whether the role may decide about it.
func (p *Page) event(ctx context.Context, o Outbox, idText, seqText string, whole, ask bool) (out found, err error) {
	id, idErr := uuid.Parse(idText)
	seq, seqErr := strconv.ParseInt(seqText, 10, 64)
	if idErr != nil && (seqErr != nil || seq < 1) {
		return out, errNoID
	}
	ctx, cancel := context.WithTimeout(ctx, answerLasts)
	defer cancel()
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		if idErr != nil {
			if id, err = admin.FindSeq(ctx, conn, seq); err != nil {
				return err
			}
		}
		most := 0
		if whole {
			most = longestDocument + 1
		}
		if out.event, err = admin.FindRowBeginning(ctx, conn, id, most); err != nil {
			return err
		}
		if ask && out.event.State == admin.Dead {
			may, err := admin.MayDecide(ctx, conn)
			if err != nil {
				return err
			}
			out.powerless = !may
		}
		if !whole {
			return nil
		}
		l, err := admin.ReadLeader(ctx, conn, "")
		if out.led = l.State.Led; err != nil {
			return err
		}
		out.uncounted, err = readKey(ctx, conn, &out.event)
		return err
	})
	return out, err
}

// keyLasts limits each statement about the other rows of a key. No index has keys, so with
// millions of rows they may take minutes, and the row itself must not wait for them.
const keyLasts = "1s"

// keyMargin is how long before the end of a request the page gives up to read them.
const keyMargin = time.Second

// readKey reads the other rows of a key, or reports that there is no time for it.
func readKey(whole context.Context, conn *pgx.Conn, event *admin.Event) (uncounted bool, err error) {
	ctx := whole
	if end, ok := whole.Deadline(); ok {
		limited, cancel := context.WithDeadline(whole, end.Add(-keyMargin))
		defer cancel()
		ctx = limited
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true)`, keyLasts); err != nil {
			return err
		}
		whole := *event
		if err := whole.ReadKey(ctx, tx); err != nil {
			return err
		}
		*event = whole
		return nil
	})
	if isCancelled(err) || isLocked(err) || ctx.Err() != nil && whole.Err() == nil {
		return true, nil
	}
	return false, err
}

// isCancelled reports whether the server has cancelled a statement because it took too long.
func isCancelled(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "57014"
}

func stateWords(e admin.Event) (words, level string) {
	switch e.State {
	case admin.Dead:
		return "Dead, after " + several(int64(e.RetryCount), "attempt"), "bad"
	case admin.Retrying:
		return "Failed, and waits for its next attempt", "warn"
	case admin.Published:
		return "Published", "good"
	case admin.Discarded:
		return "Discarded by an operator: it is not sent", "paused"
	case admin.Pending:
	}
	return "Pending: it is not sent yet", "paused"
}

func facts(e admin.Event) []number {
	all := []number{
		{Name: "Seq", Value: strconv.FormatInt(e.Seq, 10)}, {Name: "Type", Value: visible(e.EventType)}, {Name: "Topic", Value: visible(e.Topic)},
		{Name: "Key", Value: keyText(e.Key)}, {Name: "Aggregate", Value: visible(e.AggregateType + "/" + e.AggregateID)},
		{Name: "Created", At: at(e.CreatedAt)},
	}
	if e.Partition != nil {
		all = append(all, number{Name: "Partition", Value: strconv.Itoa(int(*e.Partition))})
	}
	for _, one := range []struct {
		name string
		at   time.Time
	}{{"Dead since", e.DeadAt}, {"Next attempt", e.NextAttempt}, {"Published", e.PublishedAt}} {
		if !one.at.IsZero() {
			all = append(all, number{Name: one.name, At: at(one.at)})
		}
	}
	if e.RetryCount > 0 {
		all = append(all, number{Name: "Failed attempts", Value: strconv.Itoa(e.RetryCount)})
	}
	return all
}

// documents returns the data and the headers, unless nobody may see them.
func (p *Page) documents(e admin.Event) (data, headers documentView) {
	if p.hidden(e.EventType) {
		note := documentView{Hidden: true, Note: "The setting page_hide_data hides it for this type."}
		return note, note
	}
	show := func(text json.RawMessage, none string) documentView {
		if text == nil {
			return documentView{Note: none}
		}
		d := documentView{}
		var cut bool
		if d.Text, cut = document(text); cut {
			d.Note = "This is the beginning. The command below prints all of it."
		}
		return d
	}
	return show(e.Data, "The row has no data: it is a tombstone."), show(e.Headers, "The row has no headers of its own: they come from its data.")
}

// behindWords says which rows come after a row, and whether they wait for it.
func behindWords(e admin.Event, led *relay.Led) string {
	if e.Key == nil || *e.Key == "" {
		return "The row has no key, so no other row waits for it."
	}
	if e.State == admin.Published || e.State == admin.Discarded {
		return ""
	}
	count := "Pending rows of its topic and key that come after it: " + grouped(e.Behind)
	if e.Behind >= admin.BehindCap {
		count = "Pending rows of its topic and key that come after it: more than " + grouped(admin.BehindCap-1)
	}
	switch {
	case e.Behind == 0:
		return count + "."
	case e.State == admin.Retrying:
		return count + ". They wait until it is sent or dead."
	case e.State != admin.Dead:
		return count + "."
	}
	switch policyFor(e.EventType, led) {
	case relay.Block:
		return count + ". They wait until it is replayed or discarded (on_dead is block)."
	case relay.Park:
		return count + ". They do not wait for it (on_dead is park)."
	}
	return count + ". Whether they wait depends on on_dead of the relay, which is not running."
}

// policyFor returns what the leader does with dead rows of a type; "": unknown.
func policyFor(eventType string, led *relay.Led) relay.Policy {
	if led == nil {
		return ""
	}
	if policy, ok := led.Settings["on_dead of "+eventType]; ok {
		return relay.Policy(policy)
	}
	return relay.Policy(led.Settings["on_dead"])
}
