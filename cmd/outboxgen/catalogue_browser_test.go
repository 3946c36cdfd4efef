package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/chromium"
	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

// A person walks through the catalogue of the sample schemas in a browser, from the
// disk: search, an event, its versions, filters; by keyboard, on a phone, in both color
// schemes.
func TestCatalogueInBrowser(t *testing.T) {
	t.Parallel()
	page := chromium.Open(t)
	root := repositoryRoot(t)
	folders := append(shopProjects(t), filepath.Join(root, "testdata", "service"))
	for _, name := range []string{"delivery", "huleedu", "nested", "recursion", "unions", "tombstones", "tuples"} {
		folder := filepath.Join(root, "testdata", "golden", name)
		if exists(filepath.Join(folder, "outboxgen.yaml")) {
			folders = append(folders, folder)
		}
	}
	site := catalogue(t, folders...)
	page.Size(1200, 900)
	page.Goto(address(site, "index.html"))

	// The first key leads to the content.
	page.Press("Tab")
	expect(t, page, `document.activeElement.textContent`, "Skip to the content")
	page.Press("Enter")
	expect(t, page, `location.hash`, "#main")

	// Search by a part of a name, by a field, and by what nothing has.
	page.Run(`document.getElementById("q").focus()`, nil)
	page.Type("essay gr")
	expect(t, page, shownEvents, []string{"EssayGraded"})
	expect(t, page, `document.getElementById("found").textContent.replace(/of \d+/, "of N")`, "1 of N events")
	expect(t, page, `location.search`, "?q=essay+gr")
	page.Run(`(() => { const q = document.getElementById("q"); q.value = ""; q.focus(); q.dispatchEvent(new Event("input")); })()`, nil)
	page.Type("coupon")
	expect(t, page, shownEvents, []string{"Order placed"})
	expect(t, page, `Array.from(document.querySelectorAll("tr:not([hidden]) .match:not([hidden])"), (e) => e.textContent)`, []string{"Fields: coupon"})
	page.Type("xyz")
	expect(t, page, shownEvents, []string{})
	expect(t, page, `document.getElementById("none").hidden`, false)

	// The search of another page leads here.
	page.Goto(address(site, "services.html"))
	page.Run(`document.getElementById("q").focus()`, nil)
	page.Type("order placed")
	page.Follow(`document.querySelector("form[role=search] button").click()`)
	expect(t, page, shownEvents, []string{"Order placed"})

	// A filter alone.
	page.Goto(address(site, "index.html"))
	page.Run(`(() => { const s = document.getElementById("service"); s.value = "billing"; s.dispatchEvent(new Event("change")); })()`, nil)
	expect(t, page, shownEvents, []string{"Order placed"})
	expect(t, page, `location.search`, "?service=billing")

	// An event, with its publishers and what changed.
	page.Follow(`document.querySelector("tbody tr:not([hidden]) a").click()`)
	expect(t, page, `document.querySelector("h1").textContent`, "Order placed")
	expect(t, page, `Array.from(document.querySelectorAll("main a[href*=services]"), (e) => e.textContent)`, []string{"billing", "orders"})
	expect(t, page, `Array.from(document.querySelectorAll(".verdict strong"), (e) => e.textContent)`, []string{"cannot", "cannot"})
	page.Follow(`document.querySelector("main a[href$='v1.html']").click()`)
	expect(t, page, `document.querySelector(".note").textContent`, "There is a later version: version 2.")

	examine(t, page, site, "events/shop.order_placed.v2.html")
}

// The catalogue of the CDEvents schemas, which are not part of this repository.
func TestCatalogueOfCDEventsInBrowser(t *testing.T) {
	t.Parallel()
	corpus := os.Getenv("OUTBOXGEN_CORPORA")
	if corpus == "" {
		corpus = filepath.Join(repositoryRoot(t), "..", "shared", "corpora")
	}
	corpus = filepath.Join(corpus, "cdevents")
	if _, err := os.Stat(corpus); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the CDEvents schemas are not here; OUTBOXGEN_CORPORA names the folder of the corpora")
	}
	page := chromium.Open(t)
	site := catalogue(t, cdEventsProject(t, corpus))
	page.Size(1200, 900)
	page.Goto(address(site, "index.html"))
	expect(t, page, `document.querySelectorAll("#events tbody tr").length`, 49)
	page.Run(`document.getElementById("q").focus()`, nil)
	page.Type("pipelinerunfin")
	expect(t, page, shownEvents, []string{"Pipelinerunfinished"})
	page.Follow(`document.querySelector("tbody tr:not([hidden]) a").click()`)
	expect(t, page, `document.querySelector(".type").textContent`, "dev.cdevents.pipelinerunfinished")
	examine(t, page, site)
}

// Text from schemas that is HTML and script stays text in a browser, in the search too.
// Very long words make no page wider than a phone.
func TestCatalogueOfHostileSchemasInBrowser(t *testing.T) {
	t.Parallel()
	page := chromium.Open(t)
	dir := t.TempDir()
	evil := strings.ReplaceAll(`</script></title><img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`, `"`, `\"`)
	long := strings.Repeat("long", 100)
	markup := strings.NewReplacer("EVIL", evil, "LONG", long).Replace(`\n\n# EVIL\n\n- LONG\n  1. two\n\n| LONG | b |\n|--|--|\n| 1 | LONG |\n\n~~~\nLONG\n~~~\n\n` +
		`> LONG\n\n[LONG](https://example.com/LONG) ![an image](https://example.com/i.png) [no link](javascript:alert(1))`)
	writeFile(t, filepath.Join(dir, "outboxgen.yaml"), `version: 1
service: s
schemas: []
out: events
events:
  - {schema: "<img src=x>.json", name: Evil, version: 1, type: "a<img src=x onerror=alert(1)>.v1", topic: evil, aggregate: {type: "<b>x</b>"}}
`)
	writeFile(t, filepath.Join(dir, "<img src=x>.json"), strings.NewReplacer("EVIL", evil, "LONG", long, "MARKUP", markup).Replace(`{
  "title": "EVIL", "description": "EVIL LONG MARKUP", "type": "object", "properties": {
    "EVIL": {"type": "string", "description": "EVIL MARKUP", "enum": ["EVIL", "LONG"], "default": "EVIL"},
    "LONG": {"title": "LONG", "type": "object", "properties": {"LONG": {"type": "string", "pattern": "^LONG$", "description": "LONG"}}}
  }
}`))
	site := catalogue(t, dir)
	page.Goto(address(site, "index.html"))
	page.Run(`document.getElementById("q").focus()`, nil)
	page.Type("onerror")
	for range 2 {
		expect(t, page, `document.querySelectorAll("main th a").length`, 1)
		expect(t, page, `[document.querySelectorAll("img").length, document.querySelectorAll("script").length]`, []int{0, 1})
		page.Run(`(() => { const q = document.getElementById("q"); q.value = "<script> </title>"; q.dispatchEvent(new Event("input")); })()`, nil)
	}
	page.Follow(`document.querySelector("main th a").click()`)
	expect(t, page, `[document.querySelectorAll("img").length, document.querySelectorAll("script").length, document.title.includes("onerror")]`, []any{0.0, 1.0, true})
	expect(t, page, `Array.from(document.querySelectorAll(".prose a"), (a) => a.protocol + a.textContent.slice(0, 8))`,
		[]string{"https:longlong", "https:an image", "https:longlong", "https:an image"})
	examine(t, page, site)
}

// shownEvents is the script that returns the titles of the listed events.
const shownEvents = `Array.from(document.querySelectorAll("#events tbody tr:not([hidden]) a[href^='events/']"), (e) => e)
	.filter((e) => e.closest("th")).map((e) => e.textContent)`

func address(site, page string) string {
	return "file://" + filepath.ToSlash(filepath.Join(site, filepath.FromSlash(page)))
}

// expect compares what a script returns.
func expect[T any](t *testing.T, page *chromium.Page, script string, want T) {
	t.Helper()
	var got T
	page.Run(script, &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", script, diff)
	}
}

// examine checks pages of a site: none is wider than a phone, and of each kind of page
// some, and those named in also, are checked by axe, in both schemes, on a phone and on a
// screen.
func examine(t *testing.T, page *chromium.Page, site string, also ...string) {
	t.Helper()
	var pages []string
	err := filepath.WalkDir(site, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".html" {
			pages = append(pages, name)
		}
		return err
	})
	if err != nil || len(pages) < 5 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	// The longest pages have most to find.
	slices.SortFunc(pages, func(a, b string) int { return int(size(t, b) - size(t, a)) })
	checked := map[string]int{}
	const phone, screen, narrow = 360, 1200, 320
	for _, name := range pages {
		page.Size(phone, 740)
		page.Scheme("light")
		page.Goto(address(name, ""))
		inside, err := filepath.Rel(site, name)
		if err != nil {
			t.Fatal(err)
		}
		if wide := page.Overflow(); len(wide) > 0 {
			t.Errorf("%s is wider than a phone:\n%s", inside, strings.Join(wide, "\n"))
		}
		kind := filepath.Dir(inside)
		const each = 4
		if checked[kind] >= each && !slices.Contains(also, filepath.ToSlash(inside)) {
			continue
		}
		checked[kind]++
		page.Run(`document.querySelectorAll("details").forEach((d) => { d.open = true; })`, nil)
		for _, scheme := range []string{"light", "dark"} {
			page.Scheme(scheme)
			for _, width := range []int{narrow, screen} {
				page.Size(width, 900)
				if found := page.Violations(); len(found) > 0 {
					t.Errorf("%s, %s, %d pixels: axe finds\n%s", inside, scheme, width, strings.Join(found, "\n"))
				}
				if wide := page.Overflow(); len(wide) > 0 {
					t.Errorf("%s is wider than %d pixels:\n%s", inside, width, strings.Join(wide, "\n"))
				}
			}
		}
	}
	if found := page.Problems(); len(found) > 0 {
		t.Errorf("the browser reports:\n%s", strings.Join(found, "\n"))
	}
	t.Logf("%d pages, checked by axe: %v", len(pages), checked)
}

func size(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// catalogue writes the catalogue of some projects with the command, and returns its
// folder.
func catalogue(t *testing.T, folders ...string) string {
	t.Helper()
	site := t.TempDir()
	args := []string{"docs", "--out", site, "--source-url", "https://git.example/blob/main/{path}#L{line}"}
	for _, folder := range folders {
		args = append(args, "-C", folder)
	}
	var out, stderr bytes.Buffer
	if code := run(args, streams{Out: &out, Err: &stderr, Env: func(string) string { return "" }}); code != exitcode.OK {
		t.Fatalf("outboxgen %s exits with %d:\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return site
}

// shopProjects writes the projects of two services. Both publish one event, which has
// two versions.
func shopProjects(t *testing.T) []string {
	t.Helper()
	var folders []string
	for _, service := range []string{"orders", "billing"} {
		folders = append(folders, shopProject(t, service))
	}
	return folders
}

func shopProject(t *testing.T, service string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"outboxgen.yaml": "version: 1\nservice: " + service + "\nschemas: [schemas/*.yaml]\nout: events\n",
		"schemas/order_placed.v1.yaml": `title: Order placed
x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /order_id}}
type: object
required: [order_id, state]
properties: {order_id: {type: string}, state: {enum: [new, paid]}}
`,
		"schemas/order_placed.v2.yaml": `title: Order placed
x-outbox: {version: 2, type: shop.order_placed.v2, aggregate: {type: order, id: /order_id}}
type: object
required: [order_id, state, coupon]
properties: {order_id: {type: string}, state: {enum: [new, sent]}, coupon: {type: string}}
`,
	} {
		writeFile(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	return dir
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	// Nobody reads half of the file.
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// cdEventsProject writes a project with an event for each of the CDEvents schemas.
func cdEventsProject(t *testing.T, corpus string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(corpus)); err != nil {
		t.Fatal(err)
	}
	schemas, err := filepath.Glob(filepath.Join(dir, "schemas", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	config.WriteString("version: 1\nservice: ci\nout: events\nschemas: [schemas/links/*.json]\nevents:\n")
	for _, file := range append(schemas, filepath.Join(dir, "custom", "schema.json")) {
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&config, "  - {schema: %s, version: 1, type: dev.cdevents.%s, aggregate: {type: subject, id: /subject/id}, correlation: /context/chainId}\n",
			filepath.ToSlash(inside), strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	writeFile(t, filepath.Join(dir, "outboxgen.yaml"), config.String())
	return dir
}
