// Package chromium drives a headless Chromium in tests of web pages. It speaks the
// DevTools protocol over a pipe, so it needs no other module, and the browser listens on
// no port.
//
// The browser is the program that OUTBOXGEN_CHROMIUM names, or one of the usual names on
// PATH. axe-core, which checks accessibility, is the file axe/axe.min.js in the services
// folder (OUTBOXGEN_SERVICES, or .services in the working directory or above it).
// ".ci/services chromium" installs both. A test without them is skipped, or fails if
// OUTBOXGEN_REQUIRE names chromium.
package chromium

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long one step of a page may take.
const patience = 60 * time.Second

// Page is a page in a browser of its own. Its methods fail the test if a step fails.
type Page struct {
	t     testing.TB
	pipe  *pipe
	frame string // the id of the page's frame, which is that of its target
	axe   string // the source of axe-core
}

// Open starts a browser with an empty page. It ends with the test.
func Open(t testing.TB) *Page {
	t.Helper()
	if testing.Short() {
		t.Skip("chromium: skipped with -short, which starts no browser")
	}
	program, axe, err := find()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "chromium") {
			t.Fatalf("chromium: OUTBOXGEN_REQUIRE demands chromium: %v", err)
		}
		t.Skipf("chromium: skipped: %v", err)
	}
	source, err := os.ReadFile(axe)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t, axe: string(source), pipe: start(t, program)}
	var target struct{ TargetID string }
	p.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	p.frame = target.TargetID
	var session struct{ SessionID string }
	p.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	p.pipe.session = session.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.call(domain+".enable", nil, nil)
	}
	p.call("Page.setLifecycleEventsEnabled", map[string]any{"enabled": true}, nil)
	return p
}

// find returns the browser and the file with axe-core.
func find() (program, axe string, err error) {
	if program = os.Getenv("OUTBOXGEN_CHROMIUM"); program == "" {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
			if found, err := exec.LookPath(name); err == nil {
				program = found
				break
			}
		}
	}
	if program == "" {
		return "", "", fmt.Errorf("there is no Chromium: install it (.ci/services chromium), or name it in OUTBOXGEN_CHROMIUM")
	}
	for _, folder := range folders() {
		axe = filepath.Join(folder, "axe", "axe.min.js")
		if _, err := os.Stat(axe); err == nil {
			return program, axe, nil
		}
	}
	return "", "", fmt.Errorf("axe-core is not in the services folder: .ci/services chromium fetches it")
}

// folders are the places of the services folder.
func folders() []string {
	if named := os.Getenv("OUTBOXGEN_SERVICES"); named != "" {
		return []string{named}
	}
	at, err := os.Getwd()
	if err != nil {
		return nil
	}
	var all []string
	for ; ; at = filepath.Dir(at) {
		all = append(all, filepath.Join(at, ".services"))
		if at == filepath.Dir(at) {
			return all
		}
	}
}

func (p *Page) call(method string, params, into any) {
	p.t.Helper()
	if err := p.pipe.call(method, params, into); err != nil {
		p.t.Fatalf("chromium: %s: %v", method, err)
	}
}

// Goto opens an address and waits until it is loaded.
func (p *Page) Goto(address string) {
	p.t.Helper()
	var opened struct{ ErrorText, LoaderID string }
	p.call("Page.navigate", map[string]any{"url": address}, &opened)
	if opened.ErrorText != "" {
		p.t.Fatalf("chromium: open %s: %s", address, opened.ErrorText)
	}
	if opened.LoaderID == "" {
		return // only the fragment is new
	}
	p.wait(func(l load) bool { return l.loader == opened.LoaderID })
}

// Follow runs a script that leads to another page, and waits until that is loaded.
func (p *Page) Follow(script string) {
	p.t.Helper()
	before := p.pipe.loads()
	p.Run(script, nil)
	p.wait(func(l load) bool { return !before[l] })
}

// wait waits until the page has loaded a document.
func (p *Page) wait(is func(load) bool) {
	p.t.Helper()
	err := p.pipe.until(func() bool {
		for l := range p.pipe.loaded {
			if l.frame == p.frame && is(l) {
				return true
			}
		}
		return false
	})
	if err != nil {
		p.t.Fatalf("chromium: the page is not loaded: %v", err)
	}
}

// Run runs a script in the page, waits for the promise that it may return, and stores
// its value, unless into is nil.
func (p *Page) Run(script string, into any) {
	p.t.Helper()
	var out struct {
		Result struct {
			Value json.RawMessage
		}
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	p.call("Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &out)
	if e := out.ExceptionDetails; e != nil {
		p.t.Fatalf("chromium: %s %s in\n%.200s", e.Text, e.Exception.Description, script)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(out.Result.Value, into); err != nil {
		p.t.Fatalf("chromium: the value of\n%.200s\n%v: %s", script, err, out.Result.Value)
	}
}

// Size sets the size of the window, in CSS pixels.
func (p *Page) Size(width, height int) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Scheme sets the color scheme that the user prefers: light or dark.
func (p *Page) Scheme(name string) {
	p.t.Helper()
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]any{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// Type types a text into the element that has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	for _, r := range text {
		p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "text": string(r), "key": string(r)}, nil)
		p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": string(r)}, nil)
	}
}

// Press presses Tab or Enter.
func (p *Page) Press(key string) {
	p.t.Helper()
	code, text := map[string]int{"Tab": 9, "Enter": 13}[key], map[string]string{"Enter": "\r"}[key]
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code}
	if text != "" {
		down["text"] = text
	}
	p.call("Input.dispatchKeyEvent", down, nil)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// Violations returns what axe-core finds on the page: WCAG 2.2 A and AA, and axe's own
// good practice. Each is one line.
func (p *Page) Violations() []string {
	p.t.Helper()
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	p.Run(p.axe+`; axe.run(document, {preload: false, resultTypes: ["violations"], runOnly: {type: "tag",
		values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}).then((r) => r.violations)`, &found)
	var all []string
	for _, v := range found {
		for _, n := range v.Nodes {
			all = append(all, fmt.Sprintf("%s (%s): %.200s: %s", v.ID, v.Help, n.HTML, strings.Join(strings.Fields(n.FailureSummary), " ")))
		}
	}
	return all
}

// Overflow returns the elements that are wider than the window, at most ten; none if
// the page cannot be scrolled sideways.
func (p *Page) Overflow() []string {
	p.t.Helper()
	var all []string
	p.Run(`(() => {
		const root = document.documentElement;
		if (root.scrollWidth <= root.clientWidth) return [];
		return Array.from(document.querySelectorAll("body *"))
			.filter((e) => e.getBoundingClientRect().right > root.clientWidth + 0.5)
			.slice(0, 10).map((e) => e.outerHTML.slice(0, 200)).concat("scroll width " + root.scrollWidth + " of " + root.clientWidth);
	})()`, &all)
	return all
}

// Problems returns what the browser has logged so far: exceptions, violations of the
// content security policy, and requests that failed.
func (p *Page) Problems() []string { return p.pipe.problems() }
