package lab

import "syscall"

// attributes makes a child die when the harness dies, even if the child is stopped. The
// child has its own process group, so an interrupt at the terminal goes to the harness
// only.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
