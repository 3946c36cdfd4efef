package page

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// pageRows is how many dead rows one page lists: however many there are, a page stays small.
const pageRows = 50

// longestCell and longestKey limit a text in a list; the page of the row has all of it.
const (
	longestCell = 200
	longestKey  = 60
)

// deadView is the list of dead rows.
type deadView struct {
	frame

	Outbox, OutboxLink, Name string
	At                       *moment
	Filter                   selection
	FilterWords              string
	Filtered                 bool
	Ages                     []choice
	OldestFirst              bool
	Rows                     []letter
	First, Before, After     string // addresses of other pages of the list; "": there is none
	NewestLink, OldestLink   string
	MayChange                bool
	Powerless                bool   // the role of the relay may not change dead rows
	Done                     string // what was just done
	ReplayAll, DiscardAll    string
	Hidden                   []field // of the form that selects rows
	Clear                    string
}

type choice struct {
	Value, Text string
	Selected    bool
}

// letter is a dead row in a list.
type letter struct {
	ID, Seq, Row, Type, Topic, Key, Error string
	Attempts                              int
	Since                                 *moment
	Ago                                   string
}

func (p *Page) dead(w http.ResponseWriter, r *http.Request) {
	o, ok := p.named(w, r)
	if !ok {
		return
	}
	chosen, err := readSelection(r.Form)
	if err != nil {
		p.refuse(w, r, http.StatusBadRequest, "This address is not complete", err.Error())
		return
	}
	from := readPlace(r)
	v := p.cfg.Access.visitor(r)
	letters, more, powerless, err := p.list(r.Context(), o, chosen, from, v.mayChange())
	if tooSlow(err) {
		p.cfg.Log.Warn("the list of dead rows takes too long for the page", "outbox", o.Name, "error", err)
		p.refuse(w, r, http.StatusGatewayTimeout, "The rows could not be read in time",
			"The database did not answer in time. If few rows match the filter, it has to read all dead rows. "+
				"The command has more time: "+p.listCommand(o, chosen))
		return
	}
	if err != nil {
		p.fail(w, r, "read the dead rows", err)
		return
	}
	view := deadView{
		frame: p.frame(r, "Dead rows of "+visible(o.Name)), Outbox: o.Name, Name: visible(o.Name), OutboxLink: address("outbox", "outbox", o.Name),
		At: at(time.Now()), Filter: chosen, FilterWords: chosen.words(), Filtered: !chosen.any(), OldestFirst: from.oldest, MayChange: v.mayChange() && !powerless, Powerless: powerless,
		Done: doneWords(r), Clear: address("dead", "outbox", o.Name),
	}
	for _, a := range ages {
		view.Ages = append(view.Ages, choice{a.Value, a.Text, a.Value == chosen.Age})
	}
	for _, l := range letters {
		view.Rows = append(view.Rows, p.letter(o, l))
	}
	link := func(more ...string) string {
		return address("dead", slices.Concat([]string{"outbox", o.Name}, chosen.pairs(), more)...)
	}
	view.Hidden = hiddenFields(slices.Concat([]string{"outbox", o.Name}, chosen.pairs()))
	view.NewestLink, view.OldestLink = link(), link("order", "oldest")
	view.addPages(link, letters, from, more)
	decide := func(do string) string {
		return address("decide", slices.Concat([]string{"outbox", o.Name, "do", do, "scope", "filter"}, chosen.pairs())...)
	}
	view.ReplayAll, view.DiscardAll = decide("replay"), decide("discard")
	p.show(w, http.StatusOK, "dead", view)
}

// place is where a page of the list begins. seq is that of the row next to it.
type place struct {
	oldest bool  // the order: oldest first
	back   bool  // the page ends before seq, in the order of the list
	seq    int64 // 0: the first page
}

func readPlace(r *http.Request) place {
	p := place{oldest: r.FormValue("order") == "oldest"}
	if seq, err := strconv.ParseInt(r.FormValue("after"), 10, 64); err == nil && seq > 0 {
		p.seq = seq
	} else if seq, err := strconv.ParseInt(r.FormValue("before"), 10, 64); err == nil && seq > 0 {
		p.seq, p.back = seq, true
	}
	return p
}

// list returns one page of the dead rows in the order of the list. more is true if there
// are others in the direction of reading. If asked, it says whether the role may change them.
func (p *Page) list(ctx context.Context, o Outbox, chosen selection, from place, ask bool) (letters []admin.DeadLetter, more, powerless bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLasts)
	defer cancel()
	err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		if ask {
			may, err := admin.MayDecide(ctx, conn)
			if err != nil {
				return err
			}
			powerless = !may
		}
		// A page of the list is read upwards by seq if the list is, or if it is read back.
		if from.oldest != from.back {
			letters, err = admin.DeadLettersAfter(ctx, conn, chosen.filter(0), from.seq, pageRows+1)
			return err
		}
		before := from.seq
		if before == 0 {
			before = math.MaxInt64
		}
		letters, err = admin.DeadLettersBefore(ctx, conn, chosen.filter(0), before, pageRows+1)
		return err
	})
	if more = len(letters) > pageRows; more {
		letters = letters[:pageRows]
	}
	if from.back {
		slices.Reverse(letters)
	}
	return letters, more, powerless, err
}

// addPages adds the links to the pages before and after this one.
func (v *deadView) addPages(link func(...string) string, letters []admin.DeadLetter, from place, more bool) {
	var order []string
	if from.oldest {
		order = []string{"order", "oldest"}
	}
	if from.seq > 0 {
		v.First = link(order...)
	}
	if len(letters) == 0 {
		return
	}
	first, last := strconv.FormatInt(letters[0].Seq, 10), strconv.FormatInt(letters[len(letters)-1].Seq, 10)
	if more && from.back || from.seq > 0 && !from.back {
		v.Before = link(append(slices.Clone(order), "before", first)...)
	}
	if more || from.back {
		v.After = link(append(slices.Clone(order), "after", last)...)
	}
	if from.back && !more { // this is the first page
		v.Before = ""
	}
}

func (p *Page) letter(o Outbox, l admin.DeadLetter) letter {
	return letter{
		ID: l.EventID.String(), Seq: strconv.FormatInt(l.Seq, 10), Row: address("row", "outbox", o.Name, "id", l.EventID.String()),
		Type: visible(l.EventType), Topic: visible(l.Topic), Key: short(keyText(l.Key), longestKey),
		Error:    short(visible(p.cfg.WithoutSecrets(l.LastError)), longestCell),
		Attempts: l.RetryCount, Since: at(l.DeadAt), Ago: span(time.Since(l.DeadAt)),
	}
}

// doneWords says what a decision has done, for the page to which it leads. A link that
// somebody has sent or kept says nothing: only the page of a decision leads to it.
func doneWords(r *http.Request) string {
	if from, err := url.Parse(r.Referer()); err != nil || path.Base(from.Path) != "decide" {
		return ""
	}
	for _, done := range []struct{ name, after string }{
		{"replayed", ". The leader sends them within about a second, unless an earlier dead row blocks their key or their topic is paused. A row that fails again comes back here."},
		{"discarded", ". Their data is deleted. The audit has who did it and why."},
	} {
		if n, err := strconv.ParseInt(r.FormValue(done.name), 10, 64); err == nil && n >= 0 {
			verb := map[string]string{"replayed": "Replayed ", "discarded": "Discarded "}[done.name]
			words := verb + several(n, "dead row")
			if of, err := strconv.ParseInt(r.FormValue("of"), 10, 64); err == nil && of > n {
				words = verb + grouped(n) + " of " + several(of, "dead row") + ": somebody else has decided about the rest"
			}
			return words + done.after
		}
	}
	return ""
}
