package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/consumer"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
)

// Process is a child of the harness: a relay instance or the consumer. It can be
// started again after it has ended. It is safe for concurrent use, except that Start
// is called by one goroutine at a time.
type Process struct {
	name    string
	command func() (*exec.Cmd, error) // a new command
	config  func() (any, error)       // its first line
	log     string                    // path of the file for its standard error

	mu    sync.Mutex
	child *child.Process // the latest one
	stdin io.WriteCloser // its input

	term, panics atomic.Int64
}

// Start starts the process. It does nothing if the process runs.
func (p *Process) Start() error {
	if p.Running() {
		return nil
	}
	cfg, err := p.config()
	if err != nil {
		return err
	}
	line, err := json.Marshal(cfg)
	if err != nil {
		return err
	}
	cmd, err := p.command()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the child writes to its own copy
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	started, err := child.Start(cmd, func() { p.listen(stdout) })
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.mu.Lock()
	p.child, p.stdin = started, stdin
	p.mu.Unlock()
	_, err = stdin.Write(append(line, '\n'))
	return err
}

// listen reads who leads, and what panics, until the process ends.
func (p *Process) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, instance.SaysLeads+" "); ok {
			if epoch, err := strconv.ParseInt(rest, 10, 64); err == nil {
				p.term.Store(epoch)
			}
		} else if strings.HasPrefix(line, instance.SaysStands) {
			p.term.Store(0)
		} else if line == consumer.SaysPanics {
			p.panics.Add(1)
		}
	}
	p.term.Store(0)
}

// current returns the latest process; nil: there was none.
func (p *Process) current() *child.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.child
}

// Running reports whether the process runs.
func (p *Process) Running() bool { return p.current().Running() }

// Stopped reports whether the process has been stopped by a signal.
func (p *Process) Stopped() bool { return p.current().Stopped() }

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) { p.current().Signal(s) }

// Kill ends the process immediately and waits for its end.
func (p *Process) Kill() { p.current().Kill() }

// End asks the process to end cleanly, and kills it after the limit.
func (p *Process) End(limit time.Duration) (clean bool) {
	p.Tell("end")
	return p.current().EndsWithin(limit)
}

// Term returns the term in which the instance said that it leads; 0: it does not lead.
func (p *Process) Term() int64 { return p.term.Load() }

// Panics returns how often the consumer said that a delivery panics.
func (p *Process) Panics() int64 { return p.panics.Load() }

// Tell sends a line. If the process has ended, nothing happens.
func (p *Process) Tell(line string) {
	p.mu.Lock()
	stdin, running := p.stdin, p.child.Running()
	p.mu.Unlock()
	if running {
		_, _ = io.WriteString(stdin, line+"\n") // it may end at any time
	}
}
