package child

import (
	"os/exec"
	"syscall"
)

func tie(cmd *exec.Cmd, death syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true // an interrupt at the terminal goes to the harness only
	cmd.SysProcAttr.Pdeathsig = death
}
