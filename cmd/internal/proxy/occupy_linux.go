package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// occupy listens at a TCP address so that the system does not respond there: the queue
// of connections to accept has room for one, and is full.
func occupy(address string) (_ io.Closer, err error) {
	where, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a socket: %w", err)
	}
	held := &occupied{socket: os.NewFile(uintptr(fd), "occupied")}
	defer func() {
		if err != nil {
			err = errors.Join(err, held.Close())
		}
	}()
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	name := &syscall.SockaddrInet4{Port: where.Port}
	copy(name.Addr[:], where.IP.To4())
	if err := syscall.Bind(fd, name); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", address, err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return nil, fmt.Errorf("listen at %s: %w", address, err)
	}
	const patience, most = 500 * time.Millisecond, 8
	for range most {
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return held, nil // no answer is expected
		}
		held.fill = append(held.fill, c)
	}
	return nil, fmt.Errorf("the system still takes connections at %s after %d of them", address, most)
}

type occupied struct {
	socket *os.File
	fill   []net.Conn
}

// Close gives the address back.
func (o *occupied) Close() error {
	errs := []error{o.socket.Close()}
	for _, c := range o.fill {
		_ = c.Close() // it was never accepted
	}
	return errors.Join(errs...)
}
