package kafka_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

const consumerGroups = "kafka-consumer-groups.sh"

// consumerGroupsTool returns what the script of Kafka's distribution starts. If it is
// missing, the test is skipped, or fails if OUTBOXGEN_REQUIRE names kafka.
func consumerGroupsTool(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("OUTBOXGEN_SERVICES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", ".services")
	}
	java := services.Program(t, "kafka", "java")
	if jars, err := filepath.Glob(filepath.Join(dir, "kafka-tools", "*.jar")); err != nil || len(jars) == 0 {
		missing := t.Skipf
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "kafka") {
			missing = t.Fatalf
		}
		missing("%s is not in %s: run \"make services\" (%v)", consumerGroups, dir, err)
	}
	classes := filepath.Join(dir, "kafka", "lib", "*") + string(filepath.ListSeparator) + filepath.Join(dir, "kafka-tools", "*")
	return []string{java, "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"}
}

// documented returns the commands of the section in docs/consuming.md.
func documented(t *testing.T) (commands [][]string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "consuming.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### Reset the offsets of a group\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(strings.ReplaceAll(section, "\\\n", " ")) {
		if command, ok := strings.CutPrefix(line, "    "+consumerGroups); ok {
			commands = append(commands, strings.Fields(command))
		}
	}
	return commands
}

// The recipe of the documentation, with Kafka's own tool: a group is moved while it has no
// members, and its next consumer begins where it says.
func TestTheRecipeToResetOffsets(t *testing.T) {
	t.Parallel()
	tool, commands := consumerGroupsTool(t), documented(t)
	b := newBench(t, services.RealKafka(t), 2)
	// The time of the recipe is 2026-09-21T14:13:20 UTC.
	for i, at := range []struct {
		partition int32
		seconds   int64
	}{{0, -2}, {0, -1}, {0, 0}, {0, 1}, {1, -1}, {1, 1}} {
		record := &kgo.Record{Topic: b.topic, Partition: at.partition, Value: fmt.Append(nil, i), Timestamp: time.Unix(1_790_000_000+at.seconds, 0),
			Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}}
		if err := b.client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	run := func(command int) string {
		t.Helper()
		here := strings.NewReplacer("localhost:9092", b.k.Brokers[0], "mailer", b.group, "shop.order_placed.v1", b.topic, "1200", "1")
		args := append([]string{}, tool[1:]...)
		for _, arg := range commands[command] {
			args = append(args, here.Replace(arg))
		}
		output, err := exec.CommandContext(t.Context(), tool[0], args...).CombinedOutput()
		t.Logf("%s: %v\n%s", strings.Join(args, " "), err, output)
		return string(output)
	}
	says := func(output, text string) {
		t.Helper()
		if !strings.Contains(output, text) {
			t.Errorf("it does not say %q:\n%s", text, output)
		}
	}
	committed := func(want ...int64) {
		t.Helper()
		if d := cmp.Diff(want, []int64{b.committed(0), b.committed(1)}); d != "" {
			t.Errorf("committed (-want +got):\n%s", d)
		}
	}
	if len(commands) != 5 {
		t.Fatalf("the page has %d commands: %q", len(commands), commands)
	}

	seen := newLog()
	stop := b.start(seen.handle)
	seen.wait(t, 6)
	b.waitCommitted(0, 4)
	b.waitCommitted(1, 2)
	says(run(1), "can only be reset if the group")
	committed(4, 2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	says(run(0), "Empty")
	says(run(1), b.topic)
	committed(1, 2)
	says(run(2), b.topic)
	committed(1, 2)
	says(run(3), b.topic)
	committed(2, 1)
	says(run(4), b.topic)
	again := newLog()
	stop = b.start(again.handle)
	if d := cmp.Diff([]string{"0:2", "0:3", "1:5"}, sorted(again.wait(t, 3))); d != "" {
		t.Errorf("handled afterwards (-want +got):\n%s", d)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
