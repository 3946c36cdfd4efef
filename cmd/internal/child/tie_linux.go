package child

import (
	"os/exec"
	"syscall"
)

func tie(cmd *exec.Cmd) {
	// An interrupt at the terminal goes only to this process: the child has its own group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
