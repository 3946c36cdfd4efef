package lab

import "syscall"

// attributes makes a child die with the harness, even one that is stopped. Its
// process group is its own, so an interrupt at the terminal goes to the harness.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
