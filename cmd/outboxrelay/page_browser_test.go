//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/cmd/internal/chromium"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// walk is a person who looks at the web page of a relay with two outboxes, billing and
// shop. Some rows of billing are dead, because Kafka's client cannot send their headers.
type walk struct {
	*testing.T

	page          *chromium.Page
	leader        *process // has a token
	standby       *process // has none, so its page is read-only
	billing, shop *pgxpool.Pool
	topic         string
	token         string
}

const hostileText = `</script><img src=x onerror="document.title='broken'">` + "\u202e"

func startWalk(t *testing.T, kafka func(testing.TB) *services.KafkaCluster) *walk {
	t.Helper()
	page := chromium.Open(t)
	pg := services.Postgres(t)
	shopURL := newDatabase(t, pg, "shop")
	migrate(t, pg.URL)
	migrate(t, shopURL)
	shop, err := pgxpool.New(t.Context(), shopURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shop.Close)
	k := kafka(t)
	w := &walk{T: t, page: page, billing: pg.Pool, shop: shop, topic: k.NewTopic(t, "invoices", 1), token: "correct horse battery staple"}
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte(w.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := writeFile(t, fmt.Sprintf(`
max_attempts: 1
page_hide_data: ["billing.card_*"]
outboxes:
  - {name: billing, database_url: %q}
  - {name: shop, database_url: %q}
`, pg.URL, shopURL))
	w.leader = startProcess(t, "", k, "--config", config, "--page-token-file", tokenFile)
	until(t, "it leads", func() bool { return strings.Count(string(w.status()), `"caught_up": true`) == 2 })
	w.standby = startProcess(t, "", k, "--config", config)
	return w
}

func (w *walk) status() []byte {
	w.Helper()
	_, body := w.leader.get(w.T, "/status")
	return body
}

// insert inserts an event into billing. Without headers that can be sent, it becomes dead.
func (w *walk) insert(eventType, key, data string, sendable bool) {
	w.Helper()
	headers := `{"trace_id": [1]}`
	if sendable {
		headers = `{}`
	}
	_, err := w.billing.Exec(w.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
		VALUES ('17', 'invoice', $1, $2, $3, $4::json, $5::json)`, eventType, w.topic, key, data, headers)
	if err != nil {
		w.Fatal(err)
	}
}

// query returns the texts of one column of billing.
func (w *walk) query(sql string) []string {
	w.Helper()
	rows, err := w.billing.Query(w.Context(), sql)
	if err != nil {
		w.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// open opens a page of the leader.
func (w *walk) open(address string) {
	w.Helper()
	w.page.Goto("http://" + w.leader.address + "/ui/" + address)
}

// sees waits until the text of the page has a part.
func (w *walk) sees(text string) {
	w.Helper()
	var shown string
	until(w.T, "the page shows "+text, func() bool {
		w.page.Run(`document.body.innerText`, &shown)
		return strings.Contains(shown, text)
	})
}

func (w *walk) text(selector string) string {
	w.Helper()
	var text string
	w.page.Run(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? "nothing there"`, selector), &text)
	return text
}

// follow clicks a link or a button, by its text.
func (w *walk) follow(text string) {
	w.Helper()
	w.page.Follow(fmt.Sprintf(`(() => {
		const found = Array.from(document.querySelectorAll("a, button")).find((e) => e.innerText.trim() === %q);
		if (!found) throw new Error("there is no link and no button " + %q);
		found.click();
	})()`, text, text))
}

// enter sets the value of a field, by its label.
func (w *walk) enter(id, value string) {
	w.Helper()
	w.page.Run(fmt.Sprintf(`(() => { const e = document.getElementById(%q); if (e.type === "radio") e.click(); else e.value = %q; })()`, id, value), nil)
}

func (w *walk) equal(what string, want, got any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (w *walk) logIn() {
	w.Helper()
	w.enter("user", "ann")
	w.enter("token", w.token)
	w.follow("Log in")
}

// A person walks through the web page of a real relay in a browser: sees what flows and
// what does not, filters dead rows, logs in, replays, discards, pauses and resumes.
func TestPageInBrowser(t *testing.T) {
	t.Parallel()
	w := startWalk(t, services.Kafka)
	w.page.Size(1200, 900)
	w.insert("billing.invoice_sent.v1", "first", `{"n": 1}`, true)

	// Live: what happens in the database is seen without loading the page again.
	w.open("")
	w.page.Run(`window.loadedOnce = true`, nil)
	w.equal("outboxes", "billing shop", strings.Join(w.texts("h2 a"), " "))
	w.page.Run(`document.querySelector("#live h2 a").focus()`, nil)
	for i, key := range []string{"ann", "ann", hostileText} {
		w.insert("billing.invoice_sent.v1", key, fmt.Sprintf(`{"n": %d, "text": %q}`, i, hostileText), false)
	}
	w.insert("billing.card_charged.v1", "card", `{"number": "4111"}`, false)
	w.sees("4 rows dead-lettered")
	w.sees("Needs attention: billing, 1 of 2 outboxes.")
	w.equal("the verdict of the first outbox", "! Flowing, dead rows Events flow. Dead rows that need a decision: 4.", strings.Join(strings.Fields(w.text(".verdict")), " "))
	var kept []bool
	w.page.Run(`[window.loadedOnce === true, document.activeElement.innerText === "billing"]`, &kept)
	w.equal("the page is the same, and the focus stays", []bool{true, true}, kept)
	w.stopsUpdates()

	w.refusedWithoutToken()
	w.looksAtDeadRows()
	w.replays()
	w.discards()
	w.pauses()
	if found := w.problems(); len(found) > 0 {
		t.Errorf("the browser reports:\n%s", strings.Join(found, "\n"))
	}

	w.open("")
	w.page.Run(`window.loadedOnce = true`, nil)
	w.leader.kill()
	w.sees("The relay does not answer")
}

// stopsUpdates stops the page, which the browser remembers on other pages, and starts it again.
func (w *walk) stopsUpdates() {
	w.Helper()
	var asked int
	w.page.Run(`document.addEventListener("htmx:beforeSend", () => { window.asked = (window.asked ?? 0) + 1; })`, nil)
	press := `document.getElementById("updates").click()`
	w.page.Run(press, nil)
	w.equal("the button", "Update again", w.text("#updates"))
	w.equal("the page says that it is old", true, strings.HasPrefix(w.text("#stopped"), "This page does not update. What you see is from "))
	w.page.Run(`window.asked = 0; htmx.trigger(document.querySelector("[hx-get]"), "seen"); window.asked`, &asked)
	w.equal("requests of a page that is stopped", 0, asked)
	var hidden bool
	w.page.Run(`document.dispatchEvent(new Event("htmx:timeout")); document.getElementById("lost").hidden`, &hidden)
	w.equal("a request that was under way says nothing", true, hidden)
	w.open("outbox?outbox=billing")
	w.equal("the button on another page", "Update again", w.text("#updates"))
	until(w.T, "the plots are drawn once", func() bool {
		w.page.Run(`document.querySelectorAll(".plot canvas").length`, &asked)
		return asked == 4
	})
	w.open("")
	w.page.Run(`window.updated = new Promise((done) => { document.addEventListener("htmx:afterSwap", () => done(true), {once: true}); }); `+press, nil)
	var updated bool
	w.page.Run(`window.updated`, &updated)
	w.equal("it updates again, and says nothing", []any{true, "Stop updating", ""}, []any{updated, w.text("#updates"), w.text("#stopped")})
}

// texts returns the texts of the elements that a selector finds.
func (w *walk) texts(selector string) []string {
	w.Helper()
	var all []string
	w.page.Run(fmt.Sprintf(`Array.from(document.querySelectorAll(%q), (e) => e.innerText.trim())`, selector), &all)
	return all
}

// problems returns what the browser reports, except for answers that refuse something.
func (w *walk) problems() []string {
	return slices.DeleteFunc(w.page.Problems(), func(s string) bool {
		return strings.Contains(s, "the server responded with a status of 4")
	})
}

// refusedWithoutToken looks at the page of the standby, which nobody can log in to.
func (w *walk) refusedWithoutToken() {
	w.Helper()
	w.page.Goto("http://" + w.standby.address + "/ui/")
	w.sees("Read only")
	w.sees("this process stands by")
	w.page.Goto("http://" + w.standby.address + "/ui/dead?outbox=billing")
	w.equal("checkboxes on a page that is read-only", 0, len(w.texts("input[type=checkbox]")))
	w.page.Goto("http://" + w.standby.address + "/ui/decide?outbox=billing&do=discard&scope=filter")
	w.equal("the refusal", "Changes need a login", w.text("h1"))
	var status int
	w.page.Run(`fetch("decide", {method: "POST", body: new URLSearchParams({outbox: "billing", do: "discard", scope: "filter"})}).then((r) => r.status)`, &status)
	w.equal("a change without a login", 403, status)
	w.equal("dead rows", []string{"4"}, w.query(`SELECT count(dead_at)::text FROM event_outbox`))
}

func (w *walk) looksAtDeadRows() {
	w.Helper()
	w.open("")
	w.follow("Look at the dead rows, then replay or discard them")
	w.enter("user", "ann")
	w.enter("token", "wrong")
	w.follow("Log in")
	w.equal("the answer to a wrong token", "This is not the token.", w.text(".problem"))
	w.logIn()
	w.equal("rows, newest first", []string{"seq 5", "seq 4", "seq 3", "seq 2"}, w.texts("tbody th"))
	w.enter("key", "ann")
	w.follow("Filter")
	w.equal("rows of the key", []string{"seq 3", "seq 2"}, w.texts("tbody th"))
	w.enter("key", "")
	w.enter("type", "billing.card_charged.v1")
	w.follow("Filter")
	w.follow("seq 5")
	w.equal("data that is hidden", []int{0, 2}, []int{len(w.texts("pre.document")), strings.Count(w.text("main"), "page_hide_data hides it")})
	w.open("dead?outbox=billing&order=oldest")
	w.follow("seq 4")
	w.equal("elements that the data could have made", 0, len(w.texts("main img, main script")))
	w.equal("the data", true, strings.Contains(w.text("pre.document"), `<img src=x onerror=`))
	w.equal("the key, without a change of direction", true, strings.Contains(w.text(".numbers"), `\u202e`))
}

func (w *walk) replays() {
	w.Helper()
	w.open("dead?outbox=billing&key=ann")

	// Only the later row of the key: the page says that it would pass the earlier one.
	w.page.Run(`document.querySelector("input[aria-label='Select seq 3']").click()`, nil)
	w.follow("Replay selected…")
	w.equal("the question", "Replay 1 dead row of billing?", w.text("h1"))
	w.equal("earlier rows", true, strings.Contains(w.text("fieldset"), "seq 2, billing.invoice_sent.v1"))
	if _, err := w.billing.Exec(w.Context(), `UPDATE event_outbox SET headers = '{}' WHERE event_key = 'ann'`); err != nil {
		w.Fatal(err)
	}
	w.enter("with", "")
	w.enter("reason", "headers are fixed")
	// A double click sends the form once: a second answer would say that nothing was done.
	w.page.Follow(`(() => { const b = document.querySelector("form.stack button"); b.click(); b.click(); })()`)
	w.equal("the answer", "Replayed 2 dead rows. The leader sends them within about a second, unless an earlier dead row blocks their key or their topic is paused. A row that fails again comes back here.", w.text(".done"))
	until(w.T, "both are published, in order", func() bool {
		return cmp.Equal([]string{"2", "3"}, w.query(`SELECT seq::text FROM event_outbox WHERE event_key = 'ann' AND published_at IS NOT NULL ORDER BY published_at, seq`))
	})
	w.equal("the audit", []string{"ann replay 2: headers are fixed", "ann replay 3: headers are fixed"},
		w.query(`SELECT concat_ws(' ', actor, action, seq || ':', reason) FROM event_outbox_audit ORDER BY id`))
}

func (w *walk) discards() {
	w.Helper()
	w.open("dead?outbox=billing&type=billing.card_charged.v1")
	w.follow("Discard all that match…")
	w.page.Run(`document.querySelector("form.stack").noValidate = true`, nil)
	w.enter("reason", "test card")
	w.follow("Discard 1 dead row")
	w.equal("without the number", "Enter the number of rows, to confirm that you have read it. Nothing was done.", w.text(".problem"))
	w.equal("the focus, so that a screen reader says it", true, w.text(":focus.problem") != "nothing there" && len(w.page.Violations()) == 0)

	// Somebody else has decided meanwhile: the page asks again.
	w.open("dead?outbox=billing")
	w.follow("Discard all that match…")
	w.enter("reason", "test card")
	w.enter("count", "2")
	if _, err := w.billing.Exec(w.Context(), `DELETE FROM event_outbox WHERE seq = 4`); err != nil {
		w.Fatal(err)
	}
	w.follow("Discard 2 dead rows")
	w.equal("after a change", "Discard 1 dead row of billing?", w.text("h1"))
	w.enter("count", "1")
	w.follow("Discard 1 dead row")
	w.equal("the answer", "Discarded 1 dead row. Their data is deleted. The audit has who did it and why.", w.text(".done"))
	w.sees("There are no dead rows.")
	w.equal("the audit", []string{"ann discard 5: test card"},
		w.query(`SELECT concat_ws(' ', actor, action, seq || ':', reason) FROM event_outbox_audit WHERE action = 'discard'`))
}

func (w *walk) pauses() {
	w.Helper()
	w.open("outbox?outbox=billing")
	w.follow("Pause a topic…")
	w.enter("topic", w.topic)
	w.follow("Continue…")
	w.enter("reason", "consumer is being restored")
	w.follow("Pause the topic")
	w.sees("1 pause by operators")
	w.sees("sends none of these rows")
	until(w.T, "the leader obeys", func() bool { return strings.Contains(string(w.status()), `"operator_pause_count": 1`) })
	w.insert("billing.invoice_sent.v1", "later", `{}`, true)
	w.sees("Paused An operator has paused the topics whose rows wait.")
	w.follow("Resume " + w.topic + "…")
	w.follow("Resume the topic")
	until(w.T, "the row is published", func() bool {
		return cmp.Equal([]string{"1"}, w.query(`SELECT count(*)::text FROM event_outbox WHERE event_key = 'later' AND published_at IS NOT NULL`))
	})
	w.sees("Nothing waits No row waited at the last count.")
	w.sees("No topic is paused.")
}
