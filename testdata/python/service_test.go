package python_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/testdata/golden/huleedu/events"
)

// interpreter returns the Python of OUTBOXGEN_PYTHON.
func interpreter(t *testing.T) string {
	t.Helper()
	python := os.Getenv("OUTBOXGEN_PYTHON")
	if python == "" {
		t.Skip("skipped without Python: OUTBOXGEN_PYTHON must name an interpreter that has the packages in testdata/python/requirements.txt")
	}
	check := exec.CommandContext(t.Context(), python, "-c", "import aiokafka, alembic, asyncpg, psycopg, pydantic, redis, sqlalchemy")
	if out, err := check.CombinedOutput(); err != nil {
		t.Fatalf("%s, which OUTBOXGEN_PYTHON names, lacks packages: %v\n%s\nrun %[1]s -m pip install -r testdata/python/requirements.txt", python, err, out)
	}
	return python
}

// service is a copy of the Python service, with its database and Redis.
type service struct {
	t      *testing.T
	python string
	dir    string
	env    []string
}

// The drivers that Alembic runs with.
const (
	psycopg = "psycopg"
	asyncpg = "asyncpg"
)

func newService(t *testing.T, python string, pg *services.PG, redis *services.RedisServer) *service {
	t.Helper()
	s := &service{t: t, python: python, dir: t.TempDir()}
	must(t, os.CopyFS(s.dir, os.DirFS("service")))
	config, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	s.env = append(os.Environ(),
		"PGHOST="+config.Host, fmt.Sprintf("PGPORT=%d", config.Port), "PGUSER="+config.User, "PGPASSWORD="+config.Password, "PGDATABASE="+config.Database,
		"REDIS_URL=redis://"+redis.Addr, "SERVICE_NAME="+events.Service, "PYTHONDONTWRITEBYTECODE=1")
	return s
}

// command is a run of Python in the folder of the service.
func (s *service) command(ctx context.Context, driver string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.python, args...)
	cmd.Dir, cmd.Env = s.dir, slices.Concat(s.env, []string{"DATABASE_DRIVER=" + driver})
	return cmd
}

// run runs Python to its end, and returns what it wrote.
func (s *service) run(driver string, args ...string) string {
	s.t.Helper()
	out, err := s.command(s.t.Context(), driver, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("python %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *service) alembic(driver string, args ...string) string {
	s.t.Helper()
	return s.run(driver, append([]string{"-m", "alembic"}, args...)...)
}

// addUpgrade writes the migration that upgrades the outbox, after the head, and the
// filter for autogenerate, as "outboxgen migration --upgrade --out" does. It returns
// the file of the migration.
func (s *service) addUpgrade() string {
	s.t.Helper()
	folders, err := generator.FindAlembic(s.dir)
	must(s.t, err)
	equal(s.t, "folders of Alembic", []generator.AlembicFolder{{Versions: "alembic/versions", Script: "alembic"}}, folders)
	versions := filepath.Join(s.dir, folders[0].Versions)
	heads, err := generator.AlembicHeads(versions)
	must(s.t, err)
	equal(s.t, "heads", []generator.AlembicRevision{{ID: "220aebb1348a", File: "20250802_1853_event_outbox.py"}}, heads)
	files, err := generator.Migration(generator.MigrationConfig{
		Format: string(migrations.Alembic), Upgrade: true, Dir: versions, Time: time.Now(), DownRevision: heads[0].ID,
	})
	must(s.t, err)
	name := filepath.Join(versions, files[0].Path)
	must(s.t, os.WriteFile(name, files[0].Content, 0o600))
	filter := generator.AlembicFilter()
	must(s.t, os.WriteFile(filepath.Join(s.dir, folders[0].Script, filter.Path), filter.Content, 0o600))
	return name
}

// useFilter changes env.py as the page docs/python.md says, until undo is called.
func (s *service) useFilter() (undo func()) {
	s.t.Helper()
	name := filepath.Join(s.dir, "alembic", "env.py")
	before, err := os.ReadFile(name)
	must(s.t, err)
	after := strings.NewReplacer(
		"from alembic import context\n", `from alembic import context
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import outbox_autogenerate
`,
		"        target_metadata=target_metadata,\n", `        target_metadata=target_metadata,
        include_name=outbox_autogenerate.include_name,
        include_object=outbox_autogenerate.include_object,
`).Replace(string(before))
	must(s.t, os.WriteFile(name, []byte(after), 0o600))
	return func() { must(s.t, os.WriteFile(name, before, 0o600)) }
}

// read is an event as the Python consumer printed it.
type read struct {
	EventID       string            `json:"event_id"`
	CorrelationID string            `json:"correlation_id"`
	Headers       map[string]string `json:"headers"`
	Key           string            `json:"key"`
	ClassID       string            `json:"class_id"`
	Version       string            `json:"version"`
	Value         string            `json:"value"`
}

// consume runs the Python consumer until the test ends or end is called, and sends each
// event to the channel.
func (s *service) consume(brokers []string, group string, handle func(read)) (end func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	cmd := s.command(ctx, asyncpg, "consumer.py", strings.Join(brokers, ","), group)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var r read
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				s.t.Errorf("the Python consumer printed %q: %v", lines.Bytes(), err)
				continue
			}
			handle(r)
		}
	}()
	end = sync.OnceFunc(func() {
		ended := ctx.Err() == nil && channelClosed(finished)
		cancel()
		<-finished
		if err := cmd.Wait(); err != nil && ended {
			s.t.Errorf("the Python consumer ended by itself: %v\n%s", err, said.String())
		}
	})
	s.t.Cleanup(end)
	return end
}

func channelClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
