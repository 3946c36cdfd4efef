package generator_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

const v1 = "schemas/order_placed.v1.yaml"

// shop returns a repository with one event, committed.
func shop(t *testing.T, config string) *repo {
	t.Helper()
	r := newRepo(t)
	r.write("outboxgen.yaml", project+config)
	r.write(v1, placed)
	r.commit("first")
	return r
}

// States of a repository, and what check finds in each.
func TestCheckInARepository(t *testing.T) {
	t.Parallel()
	numbered := func(r *repo) { // readers with validation: spec read numbers of any size
		r.write(v1, placed+"  total: {type: number, description: The total.}\n")
		r.commit("a number")
	}
	shorter := func(r *repo) { r.replace(v1, "maxLength: 36", "maxLength: 30") }
	for _, test := range []struct {
		name, config, against string
		change                func(r *repo)
		want                  string
	}{
		{"renamed and changed", "", "HEAD", func(r *repo) { shorter(r); r.git("mv", v1, "schemas/other.yaml") }, "max-length-decreased"},
		{"the pattern changed with the folder", "", "HEAD", func(r *repo) {
			shorter(r)
			r.git("mv", "schemas", "events.d")
			r.replace("outboxgen.yaml", "schemas/*.yaml", "events.d/*.yaml")
		}, "max-length-decreased"},
		{"the project moved", "", "HEAD", func(r *repo) {
			shorter(r)
			r.git("mv", "-k", "outboxgen.yaml", "schemas", ".")
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, r.read(v1))
			r.git("rm", "-rqf", "outboxgen.yaml", "schemas")
			r.dir = filepath.Join(r.dir, "services", "shop")
		}, "max-length-decreased"},
		{"the project in a folder of the repository", "", "HEAD", func(r *repo) {
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, strings.ReplaceAll(r.read(v1), "36", "40"))
			r.commit("beside it")
			r.dir = filepath.Join(r.dir, "services", "shop")
			r.replace(v1, "maxLength: 40", "maxLength: 36")
		}, "max-length-decreased"},
		{"the history in a folder of the repository", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", func(r *repo) {
			r.write("services/shop/outboxgen.yaml", r.read("outboxgen.yaml"))
			r.write("services/shop/"+v1, r.read(v1))
			r.commit("beside it")
			r.dir = filepath.Join(r.dir, "services", "shop")
			longAgo(r)
		}, "max-length-decreased"},
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
		}, "max-length-decreased"},
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
		}, "aggregate-id-changed"},
		{"the version counts up in place", "", "HEAD", func(r *repo) { r.replace(v1, "version: 1", "version: 2") }, "event-version-changed version-mismatch"},
		{"line ends", "", "HEAD", func(r *repo) { r.write(v1, strings.ReplaceAll(r.read(v1), "\n", "\r\n")) }, "PASS"},
		{"no level for the event", "", "HEAD", func(r *repo) { shorter(r); r.replace(v1, "  type: shop", "  compat: {level: NONE}\n  type: shop") }, "compat-lowered"},
		{"no level for the event, earlier", "", "HEAD", func(r *repo) {
			r.replace(v1, "  type: shop", "  compat: {level: NONE}\n  type: shop")
			r.commit("no level")
			shorter(r)
		}, "PASS"},
		{"no level for the project", "", "HEAD", func(r *repo) {
			shorter(r)
			r.write("outboxgen.yaml", project+"compat: {level: NONE}\n")
		}, "compat-lowered"},
		{"another level for the project, and another key", "compat: {level: FULL}\n", "HEAD", func(r *repo) {
			r.replace(v1, "  type: shop", "  key: /state\n  type: shop")
			r.write("outboxgen.yaml", project+"compat: {level: NONE}\n")
		}, "compat-lowered"},
		{"no level for the project, and no event", "", "HEAD", func(r *repo) {
			r.write("schemas/order_paid.v1.yaml", strings.NewReplacer("order_placed", "order_paid", "OrderPlaced", "OrderPaid").Replace(r.read(v1)))
			r.commit("another event")
			r.git("rm", "-q", v1)
			r.write("outboxgen.yaml", project+"compat: {level: NONE}\n")
		}, "event-removed"},
		{"forward for the event", "", "HEAD", func(r *repo) {
			r.replace(v1, "grows: true", "grows: false")
			r.commit("the enum is complete")
			r.replace(v1, "  type: shop", "  compat: {level: FORWARD}\n  type: shop")
			r.replace(v1, "[new, paid]", "[new, paid, lost]")
		}, "enum-value-added"},
		{"forward for the event, an enum that grows", "", "HEAD", func(r *repo) {
			r.replace(v1, "  type: shop", "  compat: {level: FORWARD}\n  type: shop")
			r.replace(v1, "[new, paid]", "[new, paid, lost]")
		}, "PASS"},
		{"back to what it was two commits ago", "compat: {level: BACKWARD}\n", "HEAD", longAgo, "PASS"},
		{"against all that was", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", longAgo, "max-length-decreased"},
		{"no longer against all that was", "compat: {level: BACKWARD_TRANSITIVE}\n", "HEAD", func(r *repo) {
			longAgo(r)
			r.write("outboxgen.yaml", project+"compat: {level: BACKWARD}\n")
		}, "compat-lowered"},
		{"no longer against the releases", "compat: {level: BACKWARD_TRANSITIVE, released: v*}\n", "HEAD", func(r *repo) {
			r.replace(v1, "maxLength: 36", "maxLength: 99")
			r.commit("longer")
			r.git("tag", "v1")
			r.replace(v1, "maxLength: 99", "maxLength: 36")
			r.commit("as long as at first")
			r.git("tag", "v2")
			r.replace(v1, "A customer", "The customer")
			r.write("outboxgen.yaml", project+"compat: {level: BACKWARD, released: v*}\n")
		}, "compat-lowered"},
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
		}, "max-length-decreased"},
		{"an enum that was final", "", "HEAD", func(r *repo) {
			r.replace(v1, "grows: true", "grows: false")
			r.commit("the enum is complete")
			r.replace(v1, "[new, paid]", "[new, paid, lost]")
		}, "enum-value-added"},
		{"the service has another name", "", "HEAD", func(r *repo) { r.replace("outboxgen.yaml", "service: shop", "service: orders") }, "service-renamed"},
		{"strict validation now", "validation: spec\n", "HEAD", func(r *repo) {
			numbered(r)
			r.write("outboxgen.yaml", project)
		}, "validation-changed"},
		{"strict validation now, which reads the same", "validation: spec\n", "HEAD", func(r *repo) { r.write("outboxgen.yaml", project) }, "PASS"},
		{"strict validation now, two events", "validation: spec\n", "HEAD", func(r *repo) {
			numbered(r)
			r.write("schemas/order_paid.v1.yaml", strings.NewReplacer("order_placed", "order_paid", "OrderPlaced", "OrderPaid").Replace(r.read(v1)))
			r.commit("another event")
			r.write("outboxgen.yaml", project+"compat: {accept: [{id: validation-changed, event: shop.order_placed.v1, reason: no such records}]}\n")
		}, "validation-changed"},
		{"strict validation now, and another schema", "validation: spec\n", "HEAD", func(r *repo) {
			numbered(r)
			shorter(r)
			r.write("outboxgen.yaml", project+"validation: strict\n")
		}, "max-length-decreased validation-changed"},
		{"strict validation now, and all events are new", "validation: spec\n", "HEAD", func(r *repo) {
			r.git("rm", "-q", v1)
			r.commit("no event")
			r.write(v1, placed)
			r.write("outboxgen.yaml", project)
		}, "PASS"},
		{"strict validation now, accepted", "validation: spec\n", "HEAD", func(r *repo) {
			numbered(r)
			r.write("outboxgen.yaml", project+"compat: {accept: [{id: validation-changed, event: shop.order_placed.v1, reason: no such records}]}\n")
		}, "PASS"},
		{"strict validation now, for the readers of before", "validation: spec\ncompat: {level: FORWARD}\n", "HEAD", func(r *repo) {
			r.write("outboxgen.yaml", project+"compat: {level: FORWARD}\n")
		}, "PASS"},
		{"validation by the specification now", "", "HEAD", func(r *repo) { r.write("outboxgen.yaml", project+"validation: spec\n") }, "PASS"},
		{"validation by the specification now, for the readers of before", "compat: {level: FULL}\n", "HEAD", func(r *repo) {
			numbered(r)
			r.write("outboxgen.yaml", project+"compat: {level: FULL}\nvalidation: spec\n")
		}, "validation-changed"},
		{"frozen", "compat: {frozen: true}\n", "HEAD", func(r *repo) { r.replace(v1, "maxLength: 36", "maxLength: 40") }, "released-version-changed"},
		{"versions apart", "", "HEAD", second, "PASS"},
		{"versions together", "compat: {versions: together}\n", "HEAD", second, "max-length-decreased"},
		{"broken before", "", "HEAD", func(r *repo) {
			r.write(v1, "x-outbox: [\n")
			r.commit("broken")
			r.write(v1, placed)
		}, "earlier-unreadable"},
		{"broken now", "", "HEAD", func(r *repo) { r.replace(v1, "type: object", "type: text") }, "unknown-type"},
		{"the name of the type in Go", "", "HEAD", func(r *repo) { r.replace(v1, "title: OrderPlaced", "title: PlacedOrder") }, "go-name-changed"},
		{"a submodule beside it", "", "HEAD", func(r *repo) {
			r.git("update-index", "--add", "--cacheinfo", "160000,"+r.git("rev-parse", "HEAD")+",vendored")
			r.git("commit", "-q", "-m", "submodule")
			shorter(r)
		}, "max-length-decreased"},
		{"names that need quoting", "", "HEAD", func(r *repo) {
			r.git("mv", v1, "schemas/örder \"1\".yaml")
			r.commit("moved")
			r.replace("schemas/örder \"1\".yaml", "maxLength: 36", "maxLength: 30")
		}, "max-length-decreased"},
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

// An event that may be in a file with an error was not removed: neither by a document of
// AsyncAPI whose messages are in other files, nor by a message whose data is.
func TestCheckOfABrokenDocument(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("outboxgen.yaml", strings.Replace(project, "schemas/*.yaml", "api.yaml", 1))
	r.write("api.yaml", "asyncapi: 3.0.0\ninfo: {title: shop, version: 1.0.0}\nchannels:\n  orders:\n    address: shop.orders\n    messages:\n"+
		"      placed: {$ref: messages/placed.yaml}\n      paid: {$ref: messages/paid.yaml}\n")
	message := func(name, more, payload string) {
		r.write("messages/"+name+".yaml", "name: shop.order_"+name+".v1\nx-outbox: {aggregate: {type: order, id: /id}"+more+"}\npayload: "+payload+"\n")
	}
	const data = "{type: object, required: [id], properties: {id: {type: string}}}"
	message("placed", "", data)
	message("paid", ", payload: envelope", "{$ref: ../record.yaml}")
	r.write("record.yaml", "type: object\nproperties:\n  data: "+data+"\n")
	r.commit("first")
	if got, want := r.verdict("HEAD"), "PASS"; got != want {
		t.Fatalf("as it is: check says %s, not %s", got, want)
	}
	for _, file := range []string{"api.yaml", "messages/placed.yaml", "messages/paid.yaml", "record.yaml"} {
		text := r.read(file)
		r.write(file, "x: [\n")
		got := strings.Fields(r.verdict("HEAD"))
		if !slices.Contains(got, "yaml-syntax") || slices.Contains(got, "event-removed") {
			t.Errorf("%s has an error: check says %s", file, got)
		}
		r.write(file, text)
	}
	r.replace("api.yaml", "      paid: {$ref: messages/paid.yaml}\n", "")
	if got, want := r.verdict("HEAD"), "event-removed unlisted-event"; got != want {
		t.Errorf("without one message: check says %s, not %s", got, want)
	}
}

// If the operations of a document say that an event is only received now, the finding
// names them.
func TestCheckOfAnOperationThatReceives(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("outboxgen.yaml", strings.Replace(project, "schemas/*.yaml", "api.yaml", 1))
	r.write("api.yaml", "asyncapi: 3.0.0\ninfo: {title: shop, version: 1.0.0}\nchannels:\n  orders:\n    address: shop.orders\n    messages:\n"+
		"      placed: {name: shop.order_placed.v1, x-outbox: {aggregate: {type: order, id: /id}}, "+
		"payload: {type: object, required: [id], properties: {id: {type: string}}}}\n"+
		"operations:\n  placed: {action: send, channel: {$ref: '#/channels/orders'}}\n")
	r.commit("first")
	r.replace("api.yaml", "action: send", "action: receive")
	result, err := r.check("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	const want = "if another service publishes the event now, accept the change with a reason under compat.accept in the project file; " +
		"otherwise write role: publish in x-outbox of the message, or let an operation send it; " +
		"in AsyncAPI 2, asyncapi: {publish: …} in the project file says which operations send"
	var got []string
	for _, f := range result.Findings() {
		if f.ID == "event-removed" {
			got = append(got, f.Hint)
		}
	}
	if diff := cmp.Diff([]string{want}, got); diff != "" {
		t.Errorf("hints of event-removed (-want +got):\n%s", diff)
	}
}

// longAgo makes a schema that is compatible with the last commit and not with the one
// before.
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

// Without a commit everything is new. If there are commits and HEAD names none of them,
// that is an error: the check would pass without a comparison.
func TestCheckWithoutACommit(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.write("outboxgen.yaml", project)
	r.write(v1, placed)
	result, err := r.check("")
	if err != nil || len(result.Findings()) != 1 || result.Findings()[0].ID != "project-added" {
		t.Errorf("before the first commit: %v, %v", result, err)
	}
	r.commit("first")
	r.git("checkout", "-q", "--orphan", "fresh")
	_, err = r.check("")
	want := "HEAD names no commit, but the repository has others; check out the branch to check, or name the commit to compare with: --against REF"
	if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
		t.Errorf("a branch without history (-want +got):\n%s", diff)
	}
}

func TestCheckRefusesLinksInCommits(t *testing.T) {
	t.Parallel()
	r := shop(t, "")
	r.git("mv", "schemas", "real")
	if err := os.Symlink("real", filepath.Join(r.dir, "schemas")); err != nil {
		t.Skip("no symbolic links here")
	}
	r.commit("a link")
	_, err := r.check("HEAD")
	want := "at HEAD, schemas is a symbolic link or a submodule, and its target is not in the commit; check out that commit and compare with the folder: " +
		"git worktree add ../before " + r.git("rev-parse", "HEAD")[:12] + ", and --against ../before"
	if fmt.Sprint(err) != want {
		t.Errorf("check: %v\nwant: %s", err, want)
	}
	before := filepath.Join(t.TempDir(), "before")
	r.git("worktree", "add", "-q", before, "HEAD")
	r.replace("real/order_placed.v1.yaml", "maxLength: 36", "maxLength: 30")
	if got, want := r.verdict(before), "max-length-decreased"; got != want {
		t.Errorf("against the folder: %s, not %s", got, want)
	}
}

// Every ID is explained, and an unknown one has a suggestion or a hint.
func TestExplainFinding(t *testing.T) {
	t.Parallel()
	for _, id := range generator.FindingIDs() {
		if text, err := generator.ExplainFinding(id); err != nil || !strings.HasPrefix(text, id+": ") {
			t.Errorf("%s is explained as %q, %v", id, text, err)
		}
	}
	for id, want := range map[string]string{
		"NOTHING":     `no finding called "NOTHING"; outboxgen explain --list lists all`,
		"ENUM_CLOSD":  `no finding called "ENUM_CLOSD"; did you mean "enum-closed"?`,
		"enum-close":  `no finding called "enum-close"; did you mean "enum-closed"?`,
		"KEY_MISABLE": `no finding called "KEY_MISABLE"; did you mean "key-missable"?`,
	} {
		if _, err := generator.ExplainFinding(id); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
}

// The list has every finding on a line of its own.
func TestFindingList(t *testing.T) {
	t.Parallel()
	var ids []string
	for line := range strings.Lines(generator.FindingList()) {
		if id, _, ok := strings.Cut(strings.TrimSpace(line), " "); ok && strings.HasPrefix(line, "  ") {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	if diff := cmp.Diff(generator.FindingIDs(), ids); diff != "" {
		t.Errorf("listed findings (-want +got):\n%s", diff)
	}
}

// A level that is lowered together with the change that it hides is reported, with the
// hidden changes; a level that is only lowered is a note.
func TestCheckReportsALoweredLevel(t *testing.T) {
	t.Parallel()
	r := shop(t, "")
	lowered := func() []string {
		result, err := r.check("HEAD")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range result.Findings() {
			if f.ID == "compat-lowered" {
				got = append(got, f.String())
			}
		}
		return got
	}
	r.replace(v1, "  type: shop", "  compat: {level: NONE}\n  type: shop")
	const changed = "the level changed from BACKWARD to NONE"
	want := []string{v1 + ":6:3: note: " + changed + ": later changes are checked less [compat-lowered]"}
	if diff := cmp.Diff(want, lowered()); diff != "" {
		t.Errorf("only lowered (-want +got):\n%s", diff)
	}
	r.replace(v1, "maxLength: 36", "maxLength: 30")
	want = []string{v1 + ":6:3: warning: " + changed + " in the same change, which hides: max-length-decreased at " + v1 + ":13:53; " +
		"if all consumers and producers are ready for the changes, list the finding under compat.accept with the reason; or lower the level in an earlier change of its own [compat-lowered]"}
	if diff := cmp.Diff(want, lowered()); diff != "" {
		t.Errorf("with a change (-want +got):\n%s", diff)
	}
}

// What the author is told about an event that the project only consumes now, and about an
// accepted change whose finding does not exist.
func TestCheckNamesTheRealProblem(t *testing.T) {
	t.Parallel()
	r := shop(t, "")
	r.replace(v1, "  type: shop", "  role: consume\n  type: shop")
	r.write("outboxgen.yaml", project+"compat: {accept: [{id: topic-chnged, event: shop.order_placed.v1, reason: nobody reads it}]}\n")
	result, err := r.check("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range result.Findings() {
		got = append(got, f.String())
	}
	want := []string{
		`outboxgen.yaml:5:19: note: this entry has no effect: there is no finding called "topic-chnged"; did you mean "topic-changed"? [acceptance-unused]`,
		v1 + `:6:3: the project no longer publishes the event "shop.order_placed.v1" (OrderPlacedV1, version 1): it only consumes it, so ` +
			`the generated package has no insert functions for it, and its consumers receive nothing more from this service; ` +
			`if another service publishes the event now, accept the change with a reason under compat.accept in the project file; ` +
			`otherwise write role: publish in x-outbox [event-removed]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Notes alone are no errors and no warnings, but they are findings.
func TestCheckCountsNotesThatAreAlone(t *testing.T) {
	t.Parallel()
	r := shop(t, "")
	r.replace(v1, "  type: shop", "  compat: {level: NONE}\n  type: shop")
	result, err := r.check("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := result.Write(&out, "text", generator.CheckReportOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := "\n1 note (1 event, against HEAD)\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("output %q, want the end %q", out.String(), want)
	}
}
