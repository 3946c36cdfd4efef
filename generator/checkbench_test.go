package generator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/generator"
)

// Compares a thousand unchanged schemas with the commit before, and separately only
// reads and parses them. The metric checked/read is the ratio of the two times; at most
// 2 is promised. The two take turns, so that a busy machine slows both.
func BenchmarkCheckUnchanged(b *testing.B) {
	r := newRepo(b)
	r.write("outboxgen.yaml", project)
	var properties strings.Builder
	for i := range 20 {
		fmt.Fprintf(&properties, "  field_%d: {type: [string, \"null\"], description: One of the fields., maxLength: 100}\n", i)
	}
	for i := range 1000 {
		r.write(fmt.Sprintf("schemas/e%d.yaml", i), strings.NewReplacer(
			"OrderPlaced", fmt.Sprintf("Event%d", i), "order_placed", fmt.Sprintf("event_%d", i),
		).Replace(placed)+properties.String())
	}
	r.commit("first")
	r.commit("second")
	run := func(against string) time.Duration {
		began := time.Now()
		result, err := r.check(against)
		if err != nil || len(result.Findings()) > 0 || result.Events != 1000 {
			b.Fatalf("check: %v, %v", err, result)
		}
		return time.Since(began)
	}
	run("HEAD~1") // files are cached from here on
	var checked, read time.Duration
	for b.Loop() {
		read += run(generator.AgainstNothing)
		checked += run("HEAD~1")
	}
	b.ReportMetric(float64(checked)/float64(read), "checked/read")
	b.ReportMetric(float64(checked.Milliseconds())/float64(b.N), "ms/check")
}
