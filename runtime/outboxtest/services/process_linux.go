package services

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is a user other than the current one.
type account struct{ uid, gid int }

// unprivileged returns the account to run Postgres as: nil (the current user) unless
// that is root, which Postgres refuses.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		if found, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(found.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(found.Gid)
	if err != nil {
		return nil, err
	}
	return &account{uid, gid}, nil
}

// attributes makes the child receive the signal when this process dies. It has
// a process group of its own, so that an interrupt typed at the terminal goes to
// the tests only, and they stop it.
func attributes(as *account, death syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
	if as != nil {
		attr.Credential = &syscall.Credential{Uid: uint32(as.uid), Gid: uint32(as.gid)}
	}
	return attr
}
