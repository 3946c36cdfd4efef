package services

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// broker is one Apache Kafka node in a JVM, broker and controller at once.
type broker struct {
	java    string
	lib     string   // folder with the jars
	extra   []string // settings, as name=value
	folder  *folder
	address string
	process *process
}

func startBroker(ctx context.Context, settings ...string) (*KafkaCluster, error) {
	b, err := findBroker()
	if err != nil {
		return nil, err
	}
	b.extra = settings
	if b.folder, err = newFolder("kafka", nil); err != nil {
		return nil, err
	}
	const tries = 3 // another process may take a port first
	for range tries {
		k := &KafkaCluster{own: b, control: true}
		if err = b.format(ctx); err != nil {
			break
		}
		k.Brokers = []string{b.address}
		if err = k.Start(ctx); err == nil {
			return k, nil
		}
		err = errors.Join(err, b.process.kill())
	}
	return nil, errors.Join(err, b.folder.remove())
}

// findBroker looks for Java and for the jars.
func findBroker() (*broker, error) {
	const remedy = `set KAFKA_BROKERS, or run "make services" in the outboxgen repository and set OUTBOXGEN_SERVICES to its .services folder`
	dir := servicesFolder()
	if dir == "" {
		return nil, fmt.Errorf("%w: no Kafka: there is no services folder with its jars; %s", ErrNotFound, remedy)
	}
	lib := filepath.Join(dir, "kafka", "lib")
	if len(glob(filepath.Join(lib, "kafka_*.jar"))) == 0 {
		return nil, fmt.Errorf("%w: no Kafka: %s does not hold its jars; %s", ErrNotFound, lib, remedy)
	}
	java, err := exec.LookPath("java")
	if home := os.Getenv("JAVA_HOME"); err != nil && home != "" {
		java, err = exec.LookPath(filepath.Join(home, "bin", "java"))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: no Kafka: its jars are in %s, but there is no java on PATH or in JAVA_HOME (it needs Java 17 or later); install it or set KAFKA_BROKERS", ErrNotFound, lib)
	}
	return &broker{java: java, lib: lib}, nil
}

// format picks the ports, writes the settings and makes the storage folder.
func (b *broker) format(ctx context.Context) error {
	brokerPort, err := freePort()
	if err != nil {
		return err
	}
	controllerPort, err := freePort()
	if err != nil {
		return err
	}
	b.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(brokerPort))
	controller := net.JoinHostPort("127.0.0.1", strconv.Itoa(controllerPort))
	data := filepath.Join(b.folder.path, "data")
	if err := os.RemoveAll(data); err != nil { // of a try before
		return err
	}
	settings := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        "1",
		"controller.quorum.voters":       "1@" + controller,
		"controller.listener.names":      "CONTROLLER",
		"listeners":                      "PLAINTEXT://" + b.address + ",CONTROLLER://" + controller,
		"advertised.listeners":           "PLAINTEXT://" + b.address,
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                       data,
		// A killed broker may come back only when its session has ended.
		"broker.session.timeout.ms":                        "2000",
		"broker.heartbeat.interval.ms":                     "300",
		"num.partitions":                                   "3",
		"auto.create.topics.enable":                        "false",
		"group.initial.rebalance.delay.ms":                 "0",
		"offsets.topic.num.partitions":                     "3",
		"offsets.topic.replication.factor":                 "1",
		"transaction.state.log.num.partitions":             "3",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"share.coordinator.state.topic.num.partitions":     "3",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=%s\n", name, settings[name])
	}
	for _, setting := range b.extra { // the last one of a name counts
		fmt.Fprintln(&text, os.Expand(setting, func(name string) string { return settings[name] }))
	}
	const readable = 0o644
	if err := os.WriteFile(b.settingsFile(), []byte(text.String()), readable); err != nil {
		return err
	}
	const clusterID = "b3V0Ym94Z2VuLXRlc3RzMQ" // 16 bytes in base64, as Kafka wants it
	format := exec.CommandContext(ctx, b.java, append(b.jvm("-Xmx128m"), "kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", b.settingsFile())...)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's storage folder: %w\n%s", err, out)
	}
	return nil
}

func (b *broker) settingsFile() string { return filepath.Join(b.folder.path, "server.properties") }

// jvm returns the arguments that come before the main class. Compiling in one tier
// and collecting with one thread is what a short life on few cores asks for.
func (b *broker) jvm(args ...string) []string {
	return append(args,
		"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-cp", filepath.Join(b.lib, "*"))
}

func (b *broker) start(ctx context.Context) error {
	if b.process.running() {
		return nil
	}
	p, err := command{
		path: b.java, args: append(b.jvm("-Xmx512m"), "kafka.Kafka", b.settingsFile()), dir: b.folder.path,
		log: filepath.Join(b.folder.path, "server.log"), death: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	b.process = p
	const limit = 90 * time.Second
	k := &KafkaCluster{Brokers: []string{b.address}}
	return p.poll(limit, func() error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", b.address)
		if err != nil {
			return err
		}
		return errors.Join(conn.Close(), k.ping(ctx))
	})
}

func (b *broker) stop() error { return b.process.stop(syscall.SIGTERM) }

func (b *broker) kill() error { return b.process.kill() }

func (b *broker) Close() error { return errors.Join(b.process.kill(), b.folder.remove()) }
