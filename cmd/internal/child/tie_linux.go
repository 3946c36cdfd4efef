package child

import (
	"os"
	"os/exec"
	"syscall"
)

func tie(cmd *exec.Cmd) {
	// An interrupt at the terminal goes only to this process: the child has its own group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup ends the group of a process, which may outlive it.
func killGroup(process *os.Process) { _ = syscall.Kill(-process.Pid, syscall.SIGKILL) }
