// Package child starts processes that end when the harness ends, even if it is killed.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts a command, and returns a channel that is closed once it has ended. On
// Linux the process gets the signal when the harness dies. The function, if not nil,
// reads the child's output until its end.
func Start(cmd *exec.Cmd, death syscall.Signal, read func()) (done <-chan struct{}, err error) {
	tie(cmd, death)
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the child ends with the thread that started it
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
		_ = cmd.Wait() // cmd.ProcessState says how it ended
	}()
	return ended, <-started
}
