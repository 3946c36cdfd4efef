package page

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const nasty = "<img src=x onerror=alert(1)>\"'`{{.}}\x1b[31m\u202e\u0007"

// Whatever an event has, a page shows it as text: no element comes of it, no character that
// is invisible or changes what follows.
func TestHostileTextsStayText(t *testing.T) {
	t.Parallel()
	s := newSite(t, loopbackWithToken())
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers, dead_at, retry_count, last_error)
		SELECT x.t, x.t, x.t, x.t, x.t, to_json(x.t), json_build_object(x.t, x.t), now(), 10, x.t FROM (SELECT $1::text AS t FROM generate_series(1, 3)) AS x`, nasty)
	s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, next_attempt_at, retry_count, last_error)
		SELECT x.t, x.t, x.t, x.t, x.t, '{}', now(), 1, x.t FROM (SELECT $1::text AS t) AS x`, nasty)
	s.exec(`INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, reason) SELECT x.t, 'pause', 0, gen_random_uuid(), '', x.t, x.t FROM (SELECT $1::text AS t) AS x`, nasty)
	s.outbox.Name = nasty
	s.outbox.Problem = nasty
	name := url.QueryEscape(nasty)
	for _, path := range []string{
		"", "outbox?outbox=" + name, "dead?outbox=" + name + "&key=" + name + "&error=" + url.QueryEscape("onerror"), "row?seq=3&outbox=" + name,
		"decide?do=replay&scope=filter&outbox=" + name, "decide?do=discard&scope=filter&outbox=" + name + "&topic=" + name,
		"pause?do=resume&topic=" + name + "&outbox=" + name, "pause?all=1&outbox=" + name, "login?next=" + name, "dead?outbox=" + name + name,
	} {
		who := loggedIn(testToken)
		if strings.HasPrefix(path, "login") { // somebody who is logged in needs no form
			who = header("Sec-Fetch-Site", "cross-site")
		}
		answer := s.get(path, who)
		body := answer.Body.String()
		if answer.Code >= 500 || !strings.Contains(body, "</html>") {
			t.Fatalf("%s: %d\n%s", path, answer.Code, body)
		}
		if strings.Contains(body, "<img") || strings.Contains(body, "onerror=alert(1)>\"") {
			t.Errorf("%s has an element of the data", path)
		}
		shown := strings.NewReplacer(`value="`+htmlOf(nasty)+`"`, "").Replace(body) // a field has what was entered
		if i := strings.IndexFunc(shown, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 || !utf8.ValidString(body) {
			t.Errorf("%s has an invisible character: %q", path, shown[max(0, i-60):min(len(shown), i+20)])
		}
	}
}

// htmlOf returns the text as html/template writes it into an attribute.
func htmlOf(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "&", "&amp;").Replace(text)
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "plain", `a\b`: `a\b`, "a\nb": `a\nb`, "\xff\xfe": `\xff\xfe`, "\u202e": `\u202e`, "é 漢": "é 漢", "\x1b[0m": `\x1b[0m`,
	} {
		if got := visible(text); got != want {
			t.Errorf("visible(%q) = %q, want %q", text, got, want)
		}
	}
}

// Data and headers of hidden types are on no page, for nobody.
func TestDataIsHidden(t *testing.T) {
	t.Parallel()
	for hide, want := range map[string][]bool{"": {false, false}, "shop.card_*": {true, false}, "*": {true, true}, "shop.card": {false, false}, "*.v1": {true, true}} {
		t.Run(hide, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, loopbackWithToken(), strings.Fields(hide)...)
			for _, typ := range []string{"shop.card_charged.v1", "shop.placed.v1"} {
				s.exec(`INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, headers, dead_at)
					VALUES ('order', '1', $1, 'orders', '{"number": "4111"}', '{"who": "4111"}', now())`, typ)
			}
			var got []bool
			for seq := range 2 {
				answer := s.get(fmt.Sprintf("row?outbox=shop&seq=%d", seq+1), loggedIn(testToken))
				if answer.Code != http.StatusOK {
					t.Fatal(answer.Code)
				}
				got = append(got, !strings.Contains(answer.Body.String(), "4111"))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("hidden (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"*", "", true},
		{"a*", "a", true},
		{"a*c", "abc", true},
		{"a*c", "ab", false},
		{"a*a", "a", false},
		{"*b*", "abc", true},
		{"a*b*c", "a-b-b-c", true},
		{"", "", true},
		{"", "a", false},
	} {
		if got := matches(c.pattern, c.text); got != c.want {
			t.Errorf("matches(%q, %q) = %t", c.pattern, c.text, got)
		}
	}
}

// The embedded libraries are those that versions.txt lists, each with its licence.
func TestLibrariesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("assets", "libraries")
	text, err := os.ReadFile(filepath.Join(folder, "versions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	listed := []string{"versions.txt"}
	for line := range strings.Lines(string(text)) {
		parts := strings.Fields(line)
		if len(parts) != 5 || len(parts[4]) != 64 {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, parts[0]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != parts[4] {
			t.Errorf("%s has the sum %x, not the one of versions.txt", parts[0], sum)
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(parts[0], "-ext.min.js"), ".")
		listed = append(listed, parts[0], name+".LICENSE")
		if info, err := os.Stat(filepath.Join(folder, name+".LICENSE")); err != nil || info.Size() == 0 {
			t.Errorf("%s has no licence: %v", name, err)
		}
	}
	slices.Sort(listed)
	files, err := fs.Glob(os.DirFS(folder), "*")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Compact(listed), files); diff != "" {
		t.Errorf("the files of %s (-listed +there):\n%s", folder, diff)
	}
}
