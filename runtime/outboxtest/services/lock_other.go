//go:build !unix

package services

import (
	"errors"
	"os"
)

// lock makes the file. Without a lock nothing can be told to be abandoned.
func lock(path string) (*os.File, error) { return os.Create(path) }

func lockExisting(string) (*os.File, error) { return nil, errors.ErrUnsupported }
