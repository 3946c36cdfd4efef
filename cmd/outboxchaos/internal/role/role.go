// Package role is the side of a child of the harness. A child reads its configuration as
// JSON from the first line of its standard input, and a command from each line after it.
// It ends immediately when its input ends.
package role

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Input is the standard input of a child.
type Input struct{ lines *bufio.Scanner }

// Read reads the configuration into cfg.
func Read(stdin io.Reader, cfg any) (Input, error) {
	lines := bufio.NewScanner(stdin)
	const longest = 1 << 20
	lines.Buffer(nil, longest)
	if !lines.Scan() {
		return Input{}, fmt.Errorf("no configuration: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	if err := json.Unmarshal(lines.Bytes(), cfg); err != nil {
		return Input{}, fmt.Errorf("the configuration: %w", err)
	}
	return Input{lines}, nil
}

var errGone = errors.New("the harness is gone")

// Run runs a child. It calls obey for each command; end ends the context of run.
func (in Input) Run(run func(ctx context.Context) error, obey func(command string, end func())) error {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	result, gone := make(chan error, 1), make(chan struct{})
	go func() { result <- run(ctx) }()
	go func() {
		defer close(gone)
		for in.lines.Scan() {
			obey(in.lines.Text(), end)
		}
	}()
	select {
	case err := <-result:
		return err
	case <-gone:
		return errGone // nothing ends cleanly
	}
}
