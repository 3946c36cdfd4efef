package services

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// process is a server that runs as a child of this process.
type process struct {
	cmd  *exec.Cmd
	log  string        // path of the file with its output
	done chan struct{} // closed when it has ended
}

// command says how to start a process.
type command struct {
	path  string
	args  []string
	dir   string   // working directory
	log   string   // file for its output, appended to
	user  *account // nil for the current user
	death syscall.Signal
}

// start starts the process. One goroutine starts it and waits for its end: the
// kernel ties the life of the child to the thread that made it, so that thread
// must not end before.
func (c command) start() (*process, error) {
	out, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(c.path, c.args...), log: c.log, done: make(chan struct{})}
	p.cmd.Dir = c.dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes(c.user, c.death)
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		err = errors.Join(err, out.Close()) // the child has its own
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended stands in cmd.ProcessState
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.path, err)
	}
	return p, nil
}

// running says whether the process has not ended.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stopGrace is how long a server may take to stop before it is killed.
const stopGrace = time.Minute

// stop sends the signal and waits until the process has ended; after the grace
// time it kills it, and says so.
func (p *process) stop(signal os.Signal) error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.cmd.Path, err)
	}
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := p.kill(); err != nil {
		return err
	}
	return fmt.Errorf("stop %s: it had not ended %s after the signal %q, so it was killed", p.cmd.Path, stopGrace, signal)
}

// kill ends the process immediately and waits for its end.
func (p *process) kill() error {
	if !p.running() {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", p.cmd.Path, err)
	}
	<-p.done
	return nil
}

// tail returns the end of the process's output, for an error message.
func (p *process) tail() string {
	const lines = 15
	text, err := os.ReadFile(p.log)
	if err != nil {
		return fmt.Sprintf("(no output: %v)", err)
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// poll calls ready until it returns nil, and gives up at the deadline or when
// the process has ended.
func (p *process) poll(limit time.Duration, ready func() error) error {
	const pause = 10 * time.Millisecond
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		pausing := time.NewTimer(pause)
		select {
		case <-pausing.C:
		case <-p.done:
			pausing.Stop()
			return fmt.Errorf("%s ended (%s); its last output:\n%s", p.cmd.Path, p.cmd.ProcessState, p.tail())
		case <-deadline.C:
			pausing.Stop()
			return fmt.Errorf("%s was not ready after %s: %w; its last output:\n%s", p.cmd.Path, limit, err, p.tail())
		}
	}
}
