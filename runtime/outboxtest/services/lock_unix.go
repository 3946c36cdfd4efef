//go:build unix

package services

import (
	"errors"
	"os"
	"syscall"
)

// lock makes the file and locks it for as long as it stays open.
func lock(path string) (*os.File, error) {
	return lockFile(path, os.O_RDWR|os.O_CREATE)
}

// lockExisting locks a file that is there; it fails immediately when another process
// holds the lock.
func lockExisting(path string) (*os.File, error) { return lockFile(path, os.O_RDWR) }

func lockFile(path string, flags int) (*os.File, error) {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
