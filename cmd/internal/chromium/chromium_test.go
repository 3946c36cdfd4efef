package chromium_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/chromium"
)

// The checks find what is wrong with a page: an image without a text, an element that
// is too wide, an exception, and what its policy forbids.
func TestABadPage(t *testing.T) {
	t.Parallel()
	page := chromium.Open(t)
	page.Size(360, 700)
	page.Goto(write(t, `<!doctype html><html lang="en"><head><title>bad</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'">
<script src="bad.js"></script><script>document.title = "ran"</script></head>
<body><main><h1>bad</h1><img src="" alt="x"><img width="20" height="20"><div id="wide" style="width:600px">wide</div></main></body></html>`,
		"throw new Error('thrown')"))
	if got := strings.Join(page.Violations(), "\n"); !strings.Contains(got, "image-alt") {
		t.Errorf("axe does not find the image without a text:\n%s", got)
	}
	if got := strings.Join(page.Problems(), "\n"); !strings.Contains(got, "thrown") || !strings.Contains(got, "Content Security Policy") {
		t.Errorf("the log does not have the exception and the inline script:\n%s", got)
	}
	var title string
	page.Run(`document.title`, &title)
	if diff := cmp.Diff("bad", title); diff != "" {
		t.Errorf("the title (-want +got):\n%s", diff)
	}
	page.Run(`(() => { document.getElementById("wide").style.setProperty("width", "600px"); })()`, nil)
	if got := strings.Join(page.Overflow(), "\n"); !strings.Contains(got, "wide") || !strings.Contains(got, "of 360") {
		t.Errorf("the element that is too wide is not found:\n%s", got)
	}
}

// A good page has no findings. Keys reach it, and the color scheme too.
func TestAGoodPage(t *testing.T) {
	t.Parallel()
	page := chromium.Open(t)
	page.Size(360, 700)
	page.Scheme("dark")
	page.Goto(write(t, `<!doctype html><html lang="en"><head><title>good</title></head>
<body><main><h1>good</h1><p><label for="a">Name</label> <input id="a"></p></main></body></html>`, ""))
	page.Press("Tab")
	page.Type("Ada 1")
	var value string
	page.Run(`document.getElementById("a").value`, &value)
	var dark bool
	page.Run(`matchMedia("(prefers-color-scheme: dark)").matches`, &dark)
	if value != "Ada 1" || !dark {
		t.Errorf("the field has %q, dark is %v", value, dark)
	}
	if diff := cmp.Diff([][]string{nil, {}, nil}, [][]string{page.Violations(), page.Overflow(), page.Problems()}); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Follow waits for the other page, and not for what the first one loads again.
func TestFollow(t *testing.T) {
	t.Parallel()
	page := chromium.Open(t)
	page.Goto(write(t, `<!doctype html><html lang="en"><head><title>first</title></head><body>first</body></html>`, ""))
	second := write(t, `<!doctype html><html lang="en"><head><title>second</title></head><body>second</body></html>`, "")
	page.Follow(`document.open(); document.write("<title>first again</title>"); document.close(); setTimeout(() => { location.href = "` + second + `"; }, 500)`)
	var title string
	page.Run(`document.title`, &title)
	if title != "second" {
		t.Errorf("the page is %q", title)
	}
	page.Goto(second + "#part") // the same document: there is nothing to wait for
	page.Run(`location.hash`, &title)
	if title != "#part" {
		t.Errorf("the fragment is %q", title)
	}
}

// write writes a page with a script next to it, and returns the page's address.
func write(t *testing.T, html, script string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"page.html": html, "bad.js": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + filepath.ToSlash(filepath.Join(dir, "page.html"))
}
