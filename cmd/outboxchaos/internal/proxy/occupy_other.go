//go:build !linux

package proxy

import (
	"errors"
	"io"
)

func occupy(string) (io.Closer, error) {
	return nil, errors.New("nobody answers at an address: this needs Linux")
}
