package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// job is what another process of this program does. Unless it decodes files, it does so until
// it is told to end or killed: it carries events from the table to Kafka.
type job struct {
	Name      string // of the relay's sessions; empty: its default
	URL       string
	Brokers   []string
	Bare      bool // the barest loop, which runs while it holds an advisory lock
	Wake      bool // the relay is woken by Postgres, as the barest loop always is
	Unsettled int  // the relay's UnsettledRows; 0: its default

	Replay *republish // not nil: publish past events again
	Decode []string   // folders; not empty: only decode their files
}

// jobVariable has the job of this process, as JSON.
const jobVariable = "OUTBOXBENCH_JOB"

// start starts the job in a process of its own.
func (j job) start(ctx context.Context) (*child.Process, error) {
	cmd, err := j.command(ctx)
	if err != nil {
		return nil, err
	}
	return child.Start(cmd, nil)
}

// command returns the command that does the job.
func (j job) command(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// doJob is that process. It returns the exit code.
func doJob(text string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.do(ctx)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func (j job) do(ctx context.Context) error {
	switch {
	case len(j.Decode) > 0:
		return decodeAll(j.Decode)
	case j.Replay != nil:
		return j.Replay.run(ctx, j.URL, j.Brokers)
	}
	l := &lab{url: j.URL, log: quiet, application: j.Name}
	if j.Bare {
		return bareLeader(ctx, l, j.Brokers)
	}
	var config relay.Config
	if j.Wake {
		source, err := l.postgresSource()
		if err != nil {
			return err
		}
		config.Wake = source
	}
	config.UnsettledRows = j.Unsettled
	r, err := l.startRelay(ctx, j.Brokers, pgstore.Mark, config)
	if err != nil {
		return err
	}
	<-r.done
	return r.err
}
