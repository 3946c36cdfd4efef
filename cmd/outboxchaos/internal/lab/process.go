package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

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

	mu     sync.Mutex
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	done   chan struct{} // closed when the current process has ended
	leads  bool
	epoch  int64
	panics int64
	signal func() // called at every change
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
	cmd.Stderr = log
	cmd.SysProcAttr = attributes()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return errors.Join(err, log.Close())
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, log.Close())
	}
	done := make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the child ends with the thread that started it
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- errors.Join(err, log.Close())
		if err != nil {
			return
		}
		p.listen(stdout)
		_ = cmd.Wait() // most of them are killed
		p.mu.Lock()
		p.leads = false
		close(done)
		p.mu.Unlock()
		p.signal()
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.mu.Lock()
	p.cmd, p.stdin, p.done = cmd, stdin, done
	p.mu.Unlock()
	_, err = stdin.Write(append(line, '\n'))
	return err
}

// listen reads who leads, and what panics, until the process ends.
func (p *Process) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		line := lines.Text()
		p.mu.Lock()
		if rest, ok := strings.CutPrefix(line, instance.SaysLeads+" "); ok {
			if epoch, err := strconv.ParseInt(rest, 10, 64); err == nil {
				p.leads, p.epoch = true, epoch
			}
		} else if strings.HasPrefix(line, instance.SaysStands) {
			p.leads = false
		} else if line == consumer.SaysPanics {
			p.panics++
		}
		p.mu.Unlock()
		p.signal()
	}
}

// Running reports whether the process runs.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running()
}

func (p *Process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Leads returns the term in which the instance said that it leads, and whether it said
// so.
func (p *Process) Leads() (epoch int64, leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch, p.leads
}

// Panics returns how often the consumer said that a delivery panics.
func (p *Process) Panics() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.panics
}

// Ended is closed when the current process has ended.
func (p *Process) Ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Tell sends a line. If the process has ended, nothing happens.
func (p *Process) Tell(line string) {
	p.mu.Lock()
	stdin, running := p.stdin, p.running()
	p.mu.Unlock()
	if running {
		_, _ = io.WriteString(stdin, line+"\n") // it may end at any time
	}
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running() {
		_ = p.cmd.Process.Signal(s) // it may end at any time
	}
}

// Stopped reports whether the process has been stopped by a signal.
func (p *Process) Stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running() {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	return ok && strings.HasPrefix(rest, "T")
}

// Kill ends the process at once and waits for its end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	if done := p.Ended(); done != nil {
		<-done
	}
}

// End asks the process to end cleanly, and kills it after the limit.
func (p *Process) End(limit time.Duration) (clean bool) {
	p.Tell("end")
	return p.wait(limit)
}

func (p *Process) wait(limit time.Duration) bool {
	done := p.Ended()
	if done == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}
