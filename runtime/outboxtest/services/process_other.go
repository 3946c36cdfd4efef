//go:build !linux

package services

import (
	"os"
	"os/user"
	"syscall"
)

// account is a user other than the current one; only Linux changes users.
type account struct{ uid, gid int }

func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	return nil, user.UnknownUserError("postgres: run the tests as another user than root")
}

func attributes(*account, syscall.Signal) *syscall.SysProcAttr { return nil }
