package generator_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator"
)

const v1 = "schemas/order_placed.v1.yaml"

// shop is a repository with one event, committed.
func shop(t *testing.T, config string) *repo {
	t.Helper()
	r := newRepo(t)
	r.write("outboxgen.yaml", project+config)
	r.write(v1, placed)
	r.commit("first")
	return r
}

// What lies around in a repository, and what check makes of it.
func TestCheckInARepository(t *testing.T) {
	t.Parallel()
	shorter := func(r *repo) { r.replace(v1, "maxLength: 36", "maxLength: 30") }
	for _, test := range []struct {
		name, config, against string
		change                func(r *repo)
		want                  string
	}{
		{"renamed and changed", "", "HEAD", func(r *repo) { shorter(r); r.git("mv", v1, "schemas/other.yaml") }, "MAX_LENGTH_DECREASED"},
		{"the pattern changed with the folder", "", "HEAD", func(r *repo) {
			shorter(r)
			r.git("mv", "schemas", "events.d")
			r.replace("outboxgen.yaml", "schemas/*.yaml", "events.d/*.yaml")
		}, "MAX_LENGTH_DECREASED"},
		{"the project moved", "", "HEAD", func(r *repo) {
			shorter(r)
			r.git("mv", "-k", "outboxgen.yaml", "schemas", ".")
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, r.read(v1))
			r.git("rm", "-rqf", "outboxgen.yaml", "schemas")
			r.dir = filepath.Join(r.dir, "services", "shop")
		}, "MAX_LENGTH_DECREASED"},
		{"the project in a folder of the repository", "", "HEAD", func(r *repo) {
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, strings.ReplaceAll(r.read(v1), "36", "40"))
			r.commit("beside it")
			r.dir = filepath.Join(r.dir, "services", "shop")
			r.replace(v1, "maxLength: 40", "maxLength: 36")
		}, "MAX_LENGTH_DECREASED"},
		{"the history in a folder of the repository", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", func(r *repo) {
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, r.read(v1))
			r.commit("beside it")
			r.dir = filepath.Join(r.dir, "services", "shop")
			longAgo(r)
		}, "MAX_LENGTH_DECREASED"},
		{"the history before the project moved", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", func(r *repo) {
			longAgo(r)
			r.commit("another word")
			r.git("mv", "schemas", "old")
			r.write("shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("shop/"+v1, r.read("old/order_placed.v1.yaml"))
			r.git("rm", "-rqf", "outboxgen.yaml", "old")
			r.commit("moved")
			r.dir = filepath.Join(r.dir, "shop")
			r.replace(v1, "The customer", "Some customer")
		}, "MAX_LENGTH_DECREASED"},
		{"no project before", "", "HEAD~1", func(r *repo) {
			r.git("rm", "-rqf", ".")
			r.commit("nothing")
			r.write("outboxgen.yaml", project)
			r.write(v1, placed)
			r.commit("again")
		}, "PASS"},
		{"described in the project file now", "", "HEAD", func(r *repo) {
			text := r.read(v1)
			begin, end := strings.Index(text, "x-outbox:"), strings.Index(text, "type: object")
			r.write(v1, text[:begin]+text[end:])
			r.write("outboxgen.yaml", project+"events: [{schema: "+v1+", name: OrderPlaced, version: 1, type: shop.order_placed.v1, aggregate: {type: order, id: /state}}]\n")
		}, "AGGREGATE_ID_CHANGED"},
		{"the version counts up in place", "", "HEAD", func(r *repo) { r.replace(v1, "version: 1", "version: 2") }, "EVENT_VERSION_CHANGED version-mismatch"},
		{"line ends", "", "HEAD", func(r *repo) { r.write(v1, strings.ReplaceAll(r.read(v1), "\n", "\r\n")) }, "PASS"},
		{"no level for the event", "", "HEAD", func(r *repo) { shorter(r); r.replace(v1, "  type: shop", "  compat: {level: NONE}\n  type: shop") }, "PASS"},
		{"forward for the event", "", "HEAD", func(r *repo) {
			r.replace(v1, "  type: shop", "  compat: {level: FORWARD}\n  type: shop")
			r.replace(v1, "[new, paid]", "[new, paid, lost]")
		}, "ENUM_VALUE_REMOVED"},
		{"back to what it was two commits ago", "compat: {level: BACKWARD}\n", "HEAD", longAgo, "PASS"},
		{"against all that was", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", longAgo, "MAX_LENGTH_DECREASED"},
		{"against the releases", "compat: {level: BACKWARD_TRANSITIVE, released: v*}\n", "HEAD", func(r *repo) {
			r.git("tag", "v1")
			longAgo(r)
			r.git("tag", "v2")
		}, "PASS"},
		{"nothing released", "compat: {released: v*}\n", "HEAD", shorter, "PASS"},
		{"the latest release", "compat: {released: v*}\n", "HEAD", func(r *repo) {
			r.git("tag", "v1")
			shorter(r)
			r.commit("not released")
			r.replace(v1, "maxLength: 30", "maxLength: 33")
		}, "MAX_LENGTH_DECREASED"},
		{"frozen", "compat: {frozen: true}\n", "HEAD", func(r *repo) { r.replace(v1, "maxLength: 36", "maxLength: 40") }, "RELEASED_VERSION_CHANGED"},
		{"versions apart", "", "HEAD", second, "PASS"},
		{"versions together", "compat: {versions: together}\n", "HEAD", second, "MAX_LENGTH_DECREASED"},
		{"broken before", "", "HEAD", func(r *repo) {
			r.write(v1, "x-outbox: [\n")
			r.commit("broken")
			r.write(v1, placed)
		}, "EARLIER_UNREADABLE"},
		{"broken now", "", "HEAD", func(r *repo) { r.replace(v1, "type: object", "type: text") }, "unknown-type"},
		{"the name of the type in Go", "", "HEAD", func(r *repo) { r.replace(v1, "title: OrderPlaced", "title: PlacedOrder") }, "GO_NAME_CHANGED"},
		{"a submodule beside it", "", "HEAD", func(r *repo) {
			r.git("update-index", "--add", "--cacheinfo", "160000,"+r.git("rev-parse", "HEAD")+",vendored")
			r.git("commit", "-q", "-m", "submodule")
			shorter(r)
		}, "MAX_LENGTH_DECREASED"},
		{"names that need quoting", "", "HEAD", func(r *repo) {
			r.git("mv", v1, "schemas/örder \"1\".yaml")
			r.commit("moved")
			r.replace("schemas/örder \"1\".yaml", "maxLength: 36", "maxLength: 30")
		}, "MAX_LENGTH_DECREASED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := shop(t, test.config)
			test.change(r)
			if got := r.verdict(test.against); got != test.want {
				t.Errorf("check says %s, not %s", got, test.want)
			}
		})
	}
}

// longAgo leaves a schema that suits the last commit and not the one before.
func longAgo(r *repo) {
	r.replace(v1, "maxLength: 36", "maxLength: 99")
	r.commit("longer")
	r.git("checkout", "-q", "-b", "shorter")
	r.git("checkout", "-q", "main")
	r.replace(v1, "maxLength: 99", "maxLength: 36")
	r.commit("as long as at first")
	r.replace(v1, "A customer", "The customer")
}

// second adds version 2 of the event.
func second(r *repo) {
	r.write("schemas/order_placed.v2.yaml", strings.NewReplacer("version: 1", "version: 2", ".v1", ".v2", "maxLength: 36", "maxLength: 30").Replace(placed))
}

// What is not in a commit is not followed.
func TestCheckRefusesLinksInCommits(t *testing.T) {
	t.Parallel()
	r := shop(t, "")
	r.git("mv", "schemas", "real")
	if err := os.Symlink("real", filepath.Join(r.dir, "schemas")); err != nil {
		t.Skip("no symbolic links here")
	}
	r.commit("a link")
	_, err := r.check("HEAD")
	want := "at HEAD, schemas is a symbolic link or a submodule, and what it leads to is not in the commit; check that commit out and compare with the folder: " +
		"git worktree add ../before " + r.git("rev-parse", "HEAD")[:12] + ", and --against ../before"
	if fmt.Sprint(err) != want {
		t.Errorf("check: %v\nwant: %s", err, want)
	}
	before := filepath.Join(t.TempDir(), "before")
	r.git("worktree", "add", "-q", before, "HEAD")
	r.replace("real/order_placed.v1.yaml", "maxLength: 36", "maxLength: 30")
	if got, want := r.verdict(before), "MAX_LENGTH_DECREASED"; got != want {
		t.Errorf("against the folder: %s, not %s", got, want)
	}
}

// Every ID has one explanation.
func TestEveryFindingIsExplained(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, id := range generator.FindingIDs() {
		name := strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
		e, ok := generator.ExplainFinding(id)
		if !ok || e.ID != id || seen[name] || e.Short == "" || e.Why == "" || !strings.HasPrefix(e.Text(), id+": ") {
			t.Errorf("%s: %+v", id, e)
		}
		seen[name] = true
	}
	if _, ok := generator.ExplainFinding("NOTHING"); ok {
		t.Error("NOTHING is explained")
	}
}
