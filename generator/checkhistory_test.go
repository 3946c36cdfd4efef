package generator_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/generator"
)

// A history of schema changes. The message of each commit has the verdict of check
// against the commit before.
func history(t testing.TB) *repo {
	t.Helper()
	r := newRepo(t)
	const v1, v2, pay = "schemas/order_placed.v1.yaml", "schemas/order_placed.v2.yaml", "schemas/payment_taken.v1.yaml"
	r.write("README.md", "Nothing yet.\n")
	r.commit("an empty repository")
	for _, change := range []struct {
		verdict string
		make    func()
	}{
		{"PASS", func() { r.write("outboxgen.yaml", project); r.write(v1, placed) }},
		{"PASS", func() { r.replace(v1, "A customer placed an order.", "A customer confirmed an order.") }},
		{"PASS", func() { r.replace(v1, "  note:", "  coupon: {type: string, description: A code.}\n  note:") }},
		{"required-property-added-to-closed-model", func() {
			r.replace(v1, "required: [order_id, state]", "required: [order_id, state, total]")
			r.replace(v1, "  note:", "  total: {type: integer, description: In cents.}\n  note:")
		}},
		{"PASS", func() { r.replace(v1, "[new, paid]", "[new, paid, sent]") }},
		{"enum-value-removed", func() { r.replace(v1, "[new, paid, sent]", "[new, sent]") }},
		{"PASS", func() { r.replace(v1, "total: {type: integer", "total: {type: number") }},
		{"type-narrowed", func() { r.replace(v1, "total: {type: number", "total: {type: integer") }},
		{"topic-changed", func() { r.replace(v1, "  aggregate:", "  topic: shop.orders\n  aggregate:") }},
		{"key-changed", func() { r.replace(v1, "  aggregate:", "  key: /state\n  aggregate:") }},
		{"aggregate-id-changed", func() { r.replace(v1, "id: /order_id}", "id: /state}") }},
		{"aggregate-type-changed", func() { r.replace(v1, "{type: order,", "{type: purchase,") }},
		{"PASS", func() { r.git("mv", v1, "schemas/placed.yaml") }},
		{"PASS", func() {
			r.git("mv", "schemas/placed.yaml", v1)
			r.write(v2, strings.NewReplacer("version: 1", "version: 2", ".v1", ".v2").Replace(placed))
		}},
		{"PASS", func() {
			r.write(v2, strings.ReplaceAll(strings.ReplaceAll(r.read(v2), "additionalProperties: false\n", ""), "maxLength: 36", "maxLength: 40"))
		}},
		{"max-length-decreased", func() { r.replace(v2, "maxLength: 40", "maxLength: 30") }},
		{"event-removed", func() { r.git("rm", "-q", v1) }},
		{"PASS", func() { r.write("outboxgen.yaml", project+"correlation_id: uuid\n") }},
		{"correlation-changed", func() { r.write("outboxgen.yaml", project) }},
		{"envelope-changed", func() { r.write("outboxgen.yaml", project+"envelope: cloudevents\n") }},
		{"PASS", func() {
			r.write("schemas/lib.yaml", "$defs:\n  cents: {type: integer, minimum: 0}\n")
			r.write(pay, `title: PaymentTaken
x-outbox: {version: 1, type: shop.payment_taken.v1, aggregate: {type: payment}}
type: object
properties: {amount: {$ref: "lib.yaml#/$defs/cents"}}
`)
		}},
		{"minimum-increased", func() { r.replace("schemas/lib.yaml", "minimum: 0", "minimum: 1") }},
		{"event-type-changed", func() { r.replace(pay, "shop.payment_taken.v1", "shop.payments.taken.v1") }},
		{"correlation-added", func() {
			r.replace(pay, "aggregate: {type: payment}", "aggregate: {type: payment}, correlation: /request")
			r.replace(pay, "properties: {", "properties: {request: {type: string}, ")
		}},
		{"PASS", func() { r.replace("outboxgen.yaml", "schemas/*.yaml", "schemas/**/*.yaml") }},
		{"tombstone-added", func() {
			r.replace(v2, "aggregate: {type: order, id: /order_id}", "aggregate: {type: order, id: /order_id}\n  tombstone: true")
		}},
		{"tombstone-removed", func() { r.replace(v2, "\n  tombstone: true", "") }},
		{"event-removed event-removed no-events unlisted-event unlisted-event", func() { r.replace("outboxgen.yaml", "schemas/**/*.yaml", "schemas/l*.yaml") }},
	} {
		change.make()
		r.commit(change.verdict)
	}
	return r
}

func TestCheckGivesEachCommitItsVerdict(t *testing.T) {
	t.Parallel()
	r := history(t)
	commits := strings.Fields(r.git("rev-list", "--reverse", "main"))[1:]
	if len(commits) < 20 {
		t.Fatalf("the history has %d changes", len(commits))
	}
	const some = 6 // with -short, every sixth
	for i, commit := range commits {
		if testing.Short() && i%some != 0 {
			continue
		}
		r.git("checkout", "-q", commit) // HEAD is detached from here on
		want := r.git("log", "-1", "--format=%s")
		if got := r.verdict("HEAD~1"); got != want {
			t.Errorf("change %d: check says %s, not %s\n%s", i+1, got, want, r.git("show", "--stat", "-p", commit))
		}
		if i == 0 {
			continue
		}
		// Check judges the files, committed or not: here the same change, not yet
		// committed, against HEAD.
		r.git("checkout", "-q", commit+"~1")
		r.git("checkout", "-q", commit, "--", ".")
		for _, gone := range strings.Fields(r.git("diff", "--name-only", "--diff-filter=D", "--no-renames", commit+"~1", commit)) {
			r.git("rm", "-q", "--force", gone)
		}
		if got := r.verdict("HEAD"); got != want {
			t.Errorf("change %d, not committed: check says %s, not %s", i+1, got, want)
		}
		r.git("reset", "-q", "--hard")
	}
}

func TestCheckInAShallowClone(t *testing.T) {
	t.Parallel()
	r := history(t)
	r.git("reset", "-q", "--hard", r.git("log", "-1", "--grep=^PASS$", "--format=%H"))
	r.git("branch", "topic")
	r.git("config", "uploadpack.allowAnySHA1InWant", "true")
	clone := func(args ...string) *repo {
		c := &repo{t, t.TempDir()}
		c.git(append(append([]string{"clone", "-q"}, args...), "file://"+r.dir, ".")...)
		return c
	}

	deep := clone("--depth=2")
	if got, want := deep.verdict("HEAD~1"), "PASS"; got != want {
		t.Errorf("with the commit before: %s, not %s", got, want)
	}
	shallow := clone("--depth=1")
	_, err := shallow.check("HEAD~1")
	const want = `there is no commit "HEAD~1", and the clone is shallow; fetch more history (git fetch --unshallow, or git fetch --deepen=100; ` +
		`fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 on GitLab), or fetch the commit itself`
	if fmt.Sprint(err) != want {
		t.Errorf("without it: %v", err)
	}

	// A clone of one branch has no default branch.
	single := clone("--depth=1", "--single-branch", "--branch=topic")
	_, err = single.check("")
	const noDefault = `this clone is shallow and has no default branch to compare with (origin/HEAD, main or master); ` +
		`fetch all branches and their history (git remote set-branches origin '*', then git fetch --unshallow; ` +
		`fetch-depth: 0 for actions/checkout, GIT_DEPTH: 0 on GitLab), or name the commit to compare with: --against REF`
	if fmt.Sprint(err) != noDefault {
		t.Errorf("in a clone of one branch: %v", err)
	}
	single.git("remote", "set-branches", "origin", "*")
	single.git("fetch", "-q", "--unshallow")
	if got, want := single.verdict(""), "PASS"; got != want {
		t.Errorf("with all branches: %s, not %s", got, want)
	}

	// Both branches exist in the clone, but not the commit where they parted.
	apart := clone("--depth=1", "--no-single-branch", "--branch=topic")
	apart.commit("something")
	apart.git("fetch", "-q", "--depth=1", "origin", "+"+r.git("rev-parse", "main~2")+":refs/remotes/origin/main")
	_, err = apart.check("")
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "this clone is shallow and does not contain the common ancestor of HEAD and origin/main; fetch more history") {
		t.Errorf("without a common ancestor: %v", err)
	}
	apart.git("fetch", "-q", "--unshallow")
	if got, want := apart.verdict(""), "PASS"; got != want {
		t.Errorf("after fetching: %s, not %s", got, want)
	}
	_, err = shallow.check("HEAD", func(*generator.CheckConfig) {
		shallow.write("outboxgen.yaml", shallow.read("outboxgen.yaml")+"compat: {level: FULL_TRANSITIVE}\n")
		shallow.replace("schemas/payment_taken.v1.yaml", "title: PaymentTaken", "title: PaymentTaken\ndescription: Paid.")
	})
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "the transitive level of shop.payments.taken.v1 needs the history, but this clone is shallow; fetch more history") {
		t.Errorf("a transitive level: %v", err)
	}
}
