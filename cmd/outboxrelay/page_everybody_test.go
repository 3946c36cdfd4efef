//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Every page of the web page works on a phone, in light and dark, by keyboard and with a
// screen reader, as far as axe can tell. With -update the test writes the pictures of the
// docs.
func TestPageForEverybody(t *testing.T) {
	t.Parallel()
	w := startWalk(t, func(t testing.TB) *services.KafkaCluster { return services.KFake(t) })
	for i, key := range []string{"customer-1042", "customer-1042", "customer-77", hostileText, strings.Repeat("long", 60)} {
		w.insert("billing.invoice_sent.v1", key, fmt.Sprintf(`{"invoice": %d, "text": %q, "lines": [{"sku": "a", "count": 2}]}`, i, hostileText), false)
	}
	for i := range 60 {
		w.insert("billing.reminder_sent.v1", fmt.Sprintf("customer-%d", i), `{}`, false)
	}
	until(t, "the rows are dead", func() bool { return strings.Contains(string(w.status()), `"dead": 65`) })
	if _, err := w.shop.Exec(t.Context(), `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason)
		VALUES ('ann', 'pause', 0, gen_random_uuid(), '', 'orders', 'consumer is being restored')`); err != nil {
		t.Fatal(err)
	}
	if *update {
		w.traffic()
	}

	// By keyboard: the first key leads to the content.
	w.open("")
	w.page.Press("Tab")
	w.equal("the first stop", "Skip to the content", w.text(":focus"))
	w.page.Press("Enter")
	var hash string
	w.page.Run(`location.hash`, &hash)
	w.equal("where it leads", "#main", hash)

	w.plots()
	for _, address := range []string{
		"", "outbox?outbox=billing", "outbox?outbox=shop&range=days", "login", "outbox?outbox=other",
	} {
		w.examine(address)
	}
	w.picture("page-overview.png", "", 1100, 640, "light")
	w.picture("page-phone.png", "", 390, 760, "dark")
	w.picture("page-outbox.png", "outbox?outbox=billing", 1100, 900, "dark")
	w.open("login")
	w.logIn()
	earlier := "decide?outbox=billing&do=replay&id=" + w.query(`SELECT id::text FROM event_outbox WHERE seq = 2`)[0]
	for _, address := range []string{
		"", "dead?outbox=billing", "dead?outbox=shop", "dead?outbox=billing&key=nobody", "row?outbox=billing&seq=1", earlier, "decide?outbox=billing&do=discard&scope=filter",
		"pause?outbox=billing", "pause?outbox=billing&topic=nowhere", "pause?outbox=shop&do=resume&topic=orders",
	} {
		w.examine(address)
	}
	w.picture("page-dead.png", "dead?outbox=billing&type=billing.invoice_sent.v1", 1100, 760, "light")
	w.picture("page-replay.png", earlier, 1100, 900, "light")
	if found := w.problems(); len(found) > 0 {
		t.Errorf("the browser reports:\n%s", strings.Join(found, "\n"))
	}
}

// plots looks at the plots, and at the same facts as text.
func (w *walk) plots() {
	w.Helper()
	w.page.Size(1200, 900)
	w.open("outbox?outbox=billing")
	var drawn int
	until(w.T, "the plots are drawn", func() bool {
		w.page.Run(`document.querySelectorAll(".plot canvas").length`, &drawn)
		return drawn == 4
	})
	w.sees("Dead rows\nnow 65")
	w.page.Run(`document.getElementById("values").open = true; window.before = document.getElementById("live")`, nil)
	rows := len(w.texts("#values tbody tr"))
	if rows < 1 || rows > 24 {
		w.Errorf("the table of values has %d rows", rows)
	}
	// The page changes under the reader: what is open stays open, and the plots stay.
	w.page.Run(`new Promise((done) => { let n = 0; document.addEventListener("htmx:afterSwap", () => { if (++n === 2) done(); }); })`, nil)
	var stays []bool
	w.page.Run(`[document.getElementById("values").open, document.querySelectorAll(".plot canvas").length === 4, window.before === document.getElementById("live")]`, &stays)
	w.equal("after two updates: the table is open, the plots are there, the page is the same", []bool{true, true, true}, stays)
}

// examine checks a page with axe, in both color schemes, on a phone and on a screen.
func (w *walk) examine(address string) {
	w.Helper()
	w.open(address)
	for _, scheme := range []string{"light", "dark"} {
		w.page.Scheme(scheme)
		for _, width := range []int{320, 1200} {
			w.page.Size(width, 900)
			w.page.Run(`document.querySelectorAll("details").forEach((d) => { d.open = true; })`, nil)
			if found := w.page.Violations(); len(found) > 0 {
				w.Errorf("%s, %s, %d pixels: axe finds\n%s", address, scheme, width, strings.Join(found, "\n"))
			}
			if wide := w.page.Overflow(); len(wide) > 0 {
				w.Errorf("%s is wider than %d pixels:\n%s", address, width, strings.Join(wide, "\n"))
			}
		}
	}
}

// traffic publishes events until the plots of the pictures have something to show.
func (w *walk) traffic() {
	w.Helper()
	w.open("outbox?outbox=billing")
	n := 0
	until(w.T, "there are enough samples", func() bool {
		n++
		_, err := w.billing.Exec(w.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
			SELECT '1', 'invoice', 'billing.invoice_sent.v1', $1, 'k' || i, '{}', '{}' FROM generate_series(1, $2::int) AS i`, w.topic, 20+n%13)
		if err != nil {
			w.Fatal(err)
		}
		var samples string
		w.page.Run(`document.documentElement.dataset.plotted ?? ""`, &samples)
		return len(samples) > 1 && samples >= "14"
	})
}

// picture writes a picture for the docs, if -update is set. It does not show this machine.
func (w *walk) picture(name, address string, width, height int, scheme string) {
	w.Helper()
	if !*update {
		return
	}
	w.page.Scheme(scheme)
	w.page.Size(width, height)
	w.open(address)
	if strings.HasPrefix(address, "outbox") {
		var drawn int
		until(w.T, "the plots are drawn", func() bool {
			w.page.Run(`document.querySelectorAll(".plot canvas").length`, &drawn)
			return drawn == 4
		})
	}
	host, err := os.Hostname()
	if err != nil {
		w.Fatal(err)
	}
	w.page.Run(fmt.Sprintf(`(() => {
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (texts.nextNode()) {
			const t = texts.currentNode;
			t.data = t.data.replaceAll(%q, "relay-1").replace(/pid \d+/, "pid 17").replaceAll(%q, "billing.invoices");
		}
	})()`, host, w.topic), nil)
	if err := os.WriteFile(filepath.Join("../../docs/images", name), w.page.Screenshot(), 0o600); err != nil {
		w.Fatal(err)
	}
}
