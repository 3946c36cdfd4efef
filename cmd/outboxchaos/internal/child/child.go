// Package child starts processes that end with the harness, even when it is killed.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts a command and returns what is closed once it has ended. The process
// gets the signal when the harness dies, where the system can do that (Linux). The
// function, unless it is nil, reads the child's output before its end is waited for.
func Start(cmd *exec.Cmd, death syscall.Signal, read func()) (done <-chan struct{}, err error) {
	tie(cmd, death)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the child's life is tied to the thread that made it
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if read != nil {
			read()
		}
		_ = cmd.Wait() // how it ended stands in cmd.ProcessState
	}()
	return ended, <-started
}
