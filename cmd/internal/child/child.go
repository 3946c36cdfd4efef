// Package child runs processes that end when this one ends, even if it is killed.
package child

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Process is a process that was started. The methods of a nil Process say that it has
// ended. They are safe for concurrent use.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts a command. On Linux the process is killed when this one dies, even if it
// is stopped. The function, if not nil, reads its output until the end.
func Start(cmd *exec.Cmd, read func()) (*Process, error) {
	tie(cmd)
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the child ends with the thread that started it
		defer runtime.UnlockOSThread()
		defer close(p.ended)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if read != nil {
			read()
		}
		_ = cmd.Wait() // cmd.ProcessState says how it ended
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid returns the id of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Ended returns a channel that is closed once the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Stopped reports whether the process has been stopped by a signal.
func (p *Process) Stopped() bool {
	if !p.Running() {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(stat), ") ")
	return ok && strings.HasPrefix(rest, "T")
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) {
	if p.Running() {
		_ = p.cmd.Process.Signal(s) // it may end at any time
	}
}

// Kill ends the process immediately and waits for its end.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	if p != nil {
		<-p.ended
	}
}

// KillGroup is Kill for the process and those that it started. On Linux these are the
// processes of its group, elsewhere none.
func (p *Process) KillGroup() {
	if p != nil {
		killGroup(p.cmd.Process)
	}
	p.Kill()
}

// EndsWithin waits for the end of the process. After the limit it kills the process and
// returns false.
func (p *Process) EndsWithin(limit time.Duration) bool {
	if p == nil {
		return true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
		return true
	case <-timer.C:
		p.Kill()
		return false
	}
}
