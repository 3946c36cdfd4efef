// Package debezium runs Debezium's Postgres connector on Kafka Connect in standalone mode.
// The connector reads the WAL, so the Postgres server needs wal_level = logical and a TCP
// address.
package debezium

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/freeport"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/generator/connector"
)

// Available reports whether Java is on this machine, and Debezium in the folder that
// OUTBOXGEN_SERVICES names. ".ci/services debezium" puts it there.
func Available() bool {
	_, err := exec.LookPath("java")
	found, _ := filepath.Glob(filepath.Join(jars(), "debezium-connector-postgres-*.jar"))
	return err == nil && len(found) > 0
}

// Version returns the version of the connector on this machine; empty: there is none.
func Version() string {
	const name = "debezium-connector-postgres-"
	found, _ := filepath.Glob(filepath.Join(jars(), name+"*.jar"))
	if len(found) == 0 {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), name), ".jar")
}

func jars() string { return filepath.Join(os.Getenv("OUTBOXGEN_SERVICES"), "debezium", "lib") }

// Config says what to run. Without a slot, Kafka Connect starts without a connector.
type Config struct {
	Postgres *pgx.ConnConfig // Host must be a TCP address. Kafka Connect gets these values in its environment
	Brokers  []string
	Schema   string // of event_outbox; default public
	Slot     string // name of the replication slot, and of the publication
	// Equal makes records with all headers that the relay's records have, not only the id.
	Equal   bool
	Headers []string // names of the headers that the service sets itself
	// Settings replace settings of the connector, or add to them.
	Settings map[string]string
}

// Connect is Kafka Connect with the connector.
type Connect struct {
	config  Config
	dir     string
	api     string // address of Connect's REST API
	process *child.Process
	log     *os.File
}

// New prepares a connector. Start starts it; Close stops it and removes its files.
func New(c Config) (*Connect, error) {
	dir, err := os.MkdirTemp("", "debezium-")
	if err != nil {
		return nil, err
	}
	d := &Connect{config: c, dir: dir}
	if d.log, err = os.Create(filepath.Join(dir, "connect.log")); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

// Close ends the process and removes its files. The slot and the publication stay in the
// database.
func (d *Connect) Close() error {
	const limit = 20 * time.Second
	d.process.Signal(syscall.SIGTERM)
	d.process.EndsWithin(limit)
	return errors.Join(d.log.Close(), os.RemoveAll(d.dir))
}

// Address returns the address of the REST API.
func (d *Connect) Address() string { return d.api }

// Answers waits until the REST API answers.
func (d *Connect) Answers(ctx context.Context) error {
	const pause = 100 * time.Millisecond
	err := wait.Until(ctx, pause, func() (bool, error) {
		if !d.process.Running() {
			return false, errors.New("its process ended")
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.api+"/connectors", nil)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		return answer.StatusCode == http.StatusOK, answer.Body.Close()
	})
	if err != nil {
		return fmt.Errorf("wait for Kafka Connect: %w\n%s", err, d.Log())
	}
	return nil
}

// Log returns what the process has logged.
func (d *Connect) Log() string {
	log, err := os.ReadFile(d.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Kill ends the process at once, as a crash does.
func (d *Connect) Kill() { d.process.Kill() }

// Start starts the process.
func (d *Connect) Start(ctx context.Context) error {
	port, err := freeport.Find()
	if err != nil {
		return err
	}
	d.api = "http://127.0.0.1:" + port
	worker := map[string]string{
		"bootstrap.servers":            strings.Join(d.config.Brokers, ","),
		"key.converter":                "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":              "org.apache.kafka.connect.storage.StringConverter",
		"header.converter":             "org.apache.kafka.connect.storage.StringConverter",
		"offset.storage.file.filename": filepath.Join(d.dir, "offsets"),
		"offset.flush.interval.ms":     "1000",
		"listeners":                    d.api,
		"plugin.discovery":             "service_load",
		"config.providers":             "env",
		"config.providers.env.class":   "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
	}
	if err := d.write("worker.properties", worker); err != nil {
		return err
	}
	arguments := []string{"org.apache.kafka.connect.cli.ConnectStandalone", filepath.Join(d.dir, "worker.properties")}
	if d.config.Slot != "" {
		if err := d.write("connector.properties", d.connector()); err != nil {
			return err
		}
		arguments = append(arguments, filepath.Join(d.dir, "connector.properties"))
	}
	java := []string{"-Xms256m", "-Xmx2g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", // as Kafka's scripts
		"-XX:InitiatingHeapOccupancyPercent=35", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(jars(), "*")}
	cmd := exec.CommandContext(ctx, "java", append(java, arguments...)...)
	pg := d.config.Postgres
	cmd.Env = append(os.Environ(), "PGHOST="+pg.Host, fmt.Sprint("PGPORT=", pg.Port), "PGDATABASE="+pg.Database, "PGUSER="+pg.User, "PGPASSWORD="+pg.Password)
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, d.log, d.log
	d.process, err = child.Start(cmd, nil)
	return err
}

// Pause stops the connector, not the process, and waits until its slot is free.
func (d *Connect) Pause(ctx context.Context, conn *pgx.Conn) error {
	if err := d.ask(ctx, "stop"); err != nil {
		return err
	}
	return d.untilSlot(ctx, conn, false)
}

// Resume lets the connector go on.
func (d *Connect) Resume(ctx context.Context) error { return d.ask(ctx, "resume") }

func (d *Connect) ask(ctx context.Context, what string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, d.api+"/connectors/"+connectorName+"/"+what, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // nothing is read from it
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s the connector: %s", what, answer.Status)
	}
	return nil
}

const connectorName = "outbox"

// connector returns the settings of the connector.
func (d *Connect) connector() map[string]string {
	pg, options := d.config.Postgres, connector.Options{Name: d.config.Slot, Schema: cmp.Or(d.config.Schema, "public"), Headers: d.config.Headers}
	list := connector.Simple(options)
	if d.config.Equal {
		list = connector.Settings(options)
	}
	settings := map[string]string{}
	for _, s := range list {
		settings[s.Name] = s.Value
	}
	maps.Copy(settings, map[string]string{
		"name":                        connectorName,
		"database.hostname":           pg.Host,
		"database.port":               strconv.Itoa(int(pg.Port)),
		"database.user":               pg.User,
		"database.password":           pg.Password,
		"database.dbname":             pg.Database,
		"publication.autocreate.mode": "filtered",
	})
	maps.Copy(settings, d.config.Settings)
	return settings
}

func (d *Connect) write(name string, settings map[string]string) error {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=%s\n", key, settings[key])
	}
	const private = 0o600 // it has the password
	return os.WriteFile(filepath.Join(d.dir, name), []byte(text.String()), private)
}

// Streams waits until the connector reads the WAL.
func (d *Connect) Streams(ctx context.Context, conn *pgx.Conn) error {
	return d.untilSlot(ctx, conn, true)
}

// untilSlot waits until the slot is there and active or not.
func (d *Connect) untilSlot(ctx context.Context, conn *pgx.Conn, active bool) error {
	const pause = 50 * time.Millisecond
	err := wait.Until(ctx, pause, func() (yes bool, err error) {
		if !d.process.Running() {
			return false, errors.New("its process ended")
		}
		err = conn.QueryRow(ctx, "SELECT coalesce(bool_or(active = $2), false) FROM pg_replication_slots WHERE slot_name = $1", d.config.Slot, active).Scan(&yes)
		return yes, err
	})
	if err != nil {
		return fmt.Errorf("wait for the slot of Debezium: %w\n%s", err, d.Log())
	}
	return nil
}
