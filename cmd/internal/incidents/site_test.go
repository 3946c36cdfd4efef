//go:build unix

package incidents_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// site is where an incident happens: an outbox, a Kafka, the processes around them, and
// the operator's terminal.
type site struct {
	*terminal
	pg      *services.PG
	standby *services.PostgresServer // of pg; nil: none
	kafka   *services.KafkaCluster
	topic   string
	ledger  *ledger

	mu    sync.Mutex
	units map[string]unit
}

// unit is what systemctl starts and stops.
type unit interface {
	start() error
	stop() error
	log() string
}

// buildRelay builds outboxrelay, and returns its path.
func buildRelay(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outboxrelay")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/outboxrelay")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return path
}

// newSite makes a site with a Kafka. relay is the path of outboxrelay.
func newSite(t *testing.T, relay string, kafka *services.KafkaCluster) *site {
	t.Helper()
	services.Program(t, "postgres", "psql")
	dir := t.TempDir()
	s := &site{
		terminal: &terminal{dir: dir, bin: filepath.Join(dir, "bin"), variables: map[string]string{
			"OUTBOXRELAY_CONFIG": filepath.Join(dir, "outboxrelay.yaml"), "BROKERS": strings.Join(kafka.Brokers, ","),
		}},
		kafka: kafka,
		units: map[string]unit{},
	}
	if err := os.Mkdir(s.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(relay, filepath.Join(s.bin, "outboxrelay")); err != nil {
		t.Fatal(err)
	}
	s.serveUnits(t)
	for name, class := range map[string]string{
		"kafka-topics.sh": "org.apache.kafka.tools.TopicCommand", "kafka-configs.sh": "kafka.admin.ConfigCommand",
		"kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	} {
		s.script(t, name, kafkaTool(t, class))
	}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for name, u := range s.units {
			if err := u.stop(); err != nil {
				t.Errorf("stop %s: %v", name, err)
			}
			if t.Failed() {
				t.Logf("the end of the log of %s:\n%s", name, lastLines(u.log()))
			}
		}
	})
	return s
}

// lastLines returns the end of a log.
func lastLines(log string) string {
	const shown = 20
	lines := strings.SplitAfter(log, "\n")
	return strings.Join(lines[max(0, len(lines)-shown):], "")
}

// script puts a command on the operator's PATH.
func (s *site) script(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.bin, name), []byte("#!/usr/bin/env bash\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// kafkaTool runs what the script of Kafka's distribution runs.
func kafkaTool(t *testing.T, class string) string {
	t.Helper()
	dir := os.Getenv("OUTBOXGEN_SERVICES")
	if dir == "" {
		dir = filepath.Join(root, ".services")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	classes := filepath.Join(dir, "kafka", "lib", "*") + string(filepath.ListSeparator) + filepath.Join(dir, "kafka-tools", "*")
	return fmt.Sprintf("exec %q -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp %q %s \"$@\"",
		services.Program(t, "kafka", "java"), classes, class)
}

// settings writes the relay's settings file.
func (s *site) settings(t *testing.T, lines ...string) {
	t.Helper()
	text := "listen: 127.0.0.1:0\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(s.variables["OUTBOXRELAY_CONFIG"], []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// add adds a unit and starts it.
func (s *site) add(t *testing.T, name string, u unit) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name] = u
	if err := u.start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
}

// serveUnits makes the commands systemctl and journalctl for the units of the site.
func (s *site) serveUnits(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.answer(conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"systemctl", "journalctl"} {
		s.script(t, name, fmt.Sprintf("exec 3<>/dev/tcp/%s/%s\nprintf '%%s\\n' %q\" $*\" >&3\nread -r code <&3\ncat <&3\nexit \"$code\"", host, port, name))
	}
}

// answer answers one call: the exit code, and below it what the command prints.
func (s *site) answer(conn net.Conn) {
	defer conn.Close() //nolint:errcheck // the command notices it
	call, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return
	}
	out, err := s.control(strings.Fields(call))
	if err != nil {
		_, _ = fmt.Fprintf(conn, "1\n%v\n", err) // the command may be gone
		return
	}
	_, _ = fmt.Fprintf(conn, "0\n%s", out)
}

// control does what systemctl and journalctl do, as far as the page uses them.
func (s *site) control(call []string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(call) < 3 {
		return "", fmt.Errorf("%q: say what to do with which unit", call)
	}
	verb, name := call[1], call[2]
	if at := slices.Index(call, "-u"); call[0] == "journalctl" && at > 0 && at+1 < len(call) {
		verb, name = "log", call[at+1]
	}
	u := s.units[strings.TrimSuffix(name, ".service")]
	if u == nil {
		return "", fmt.Errorf("unit %s not found", name)
	}
	switch verb {
	case "start":
		return "", u.start()
	case "stop":
		return "", u.stop()
	case "restart":
		return "", errors.Join(u.stop(), u.start())
	case "status":
		return lastLines(u.log()), nil
	case "log":
		return u.log(), nil
	}
	return "", fmt.Errorf("unknown command %q", call)
}

// growing is a log that can be read while it is written.
type growing struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}
