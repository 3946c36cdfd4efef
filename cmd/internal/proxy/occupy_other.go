//go:build !linux

package proxy

import (
	"errors"
	"io"
)

func occupy(string) (io.Closer, error) {
	return nil, errors.New("an address that does not respond needs Linux")
}
