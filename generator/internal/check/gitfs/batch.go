package gitfs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// maxBlob limits the content of a file, in bytes. A longer file is cut one byte later,
// so that the reader sees that it is too long.
const maxBlob = 8 << 20

// batch is a git cat-file --batch that is running.
type batch struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// blob reads the content of an object.
func (r *Repo) blob(hash string) ([]byte, error) {
	if r.batch == nil {
		b, err := r.startBatch()
		if err != nil {
			return nil, fmt.Errorf("start git cat-file: %w", err)
		}
		r.batch = b
	}
	content, err := r.batch.read(hash)
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	return content, nil
}

func (r *Repo) startBatch() (*batch, error) {
	b := &batch{cmd: r.command("cat-file", "--batch")}
	in, err := b.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	b.in, b.out = in, bufio.NewReaderSize(out, 64<<10)
	return b, b.cmd.Start()
}

func (b *batch) read(hash string) ([]byte, error) {
	if _, err := io.WriteString(b.in, hash+"\n"); err != nil {
		return nil, err
	}
	header, err := b.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(header)
	if len(fields) != 3 || fields[1] != "blob" {
		return nil, fmt.Errorf("the object %s is %s", hash, strings.Join(fields[min(1, len(fields)):], " "))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return nil, err
	}
	content := make([]byte, min(size, maxBlob+1))
	if _, err := io.ReadFull(b.out, content); err != nil {
		return nil, err
	}
	// The rest of it, and the line end after it.
	if _, err := io.CopyN(io.Discard, b.out, size-int64(len(content))+1); err != nil {
		return nil, err
	}
	return content, nil
}

func (b *batch) close() error {
	err := b.in.Close()
	if err := errors.Join(err, b.cmd.Wait()); err != nil {
		return fmt.Errorf("end git cat-file: %w", err)
	}
	return nil
}
