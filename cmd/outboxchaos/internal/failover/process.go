package failover

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// relayProcess is a relay in its own process. One goroutine uses it.
type relayProcess struct {
	*child.Process
	start   func() (*exec.Cmd, error)
	log     string // path of the file for its output
	address string // address of its HTTP server
}

// run starts the process, and returns once it leads or stands by.
func (p *relayProcess) run(ctx context.Context, ready bool) (err error) {
	cmd, err := p.start()
	if err != nil {
		return err
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	listening := make(chan string, 1)
	if p.Process, err = child.Start(cmd, func() { p.listen(stderr, log, listening) }); err != nil {
		return errors.Join(err, log.Close())
	}
	select {
	case p.address = <-listening:
	case <-p.Ended():
		return fmt.Errorf("a relay ended; its log is %s", p.log)
	case <-ctx.Done():
		return ctx.Err()
	}
	if !ready {
		return nil
	}
	err = wait.Until(ctx, look, func() (bool, error) { return p.answers(ctx, "/readyz", nil) == nil, nil })
	if err != nil {
		return fmt.Errorf("wait until the relay is ready: %w", err)
	}
	return nil
}

// listen copies the log, and sends the address at which the process listens.
func (p *relayProcess) listen(stderr io.Reader, log io.WriteCloser, listening chan<- string) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		_, _ = fmt.Fprintf(log, "%s\n", lines.Bytes()) // for people who investigate the run
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == saysListening {
			listening <- line.Address
		}
	}
	_ = log.Close() // the process has ended
}

// look is the pause between two looks at a relay.
const look = 20 * time.Millisecond

// saysListening is the log line with the address of a relay's HTTP server.
const saysListening = "listening"

// answers sends a request to the process. Unless the value is nil, it reads the answer
// into it.
func (p *relayProcess) answers(ctx context.Context, path string, into any) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+path, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, answer.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

func (p *relayProcess) leads(ctx context.Context) (bool, error) {
	var states map[string]relay.Status
	err := p.answers(ctx, "/status", &states)
	for _, s := range states {
		if s.Leader {
			return true, err
		}
	}
	return false, err
}

func (s *site) restartRelays(ctx context.Context) error {
	for _, p := range s.relays {
		p.Kill()
	}
	var errs []error
	for _, p := range s.relays {
		errs = append(errs, p.run(ctx, false))
	}
	return errors.Join(errs...)
}

// killLeader kills the relay that leads, and does not start it again.
func (s *site) killLeader(ctx context.Context) error {
	for _, p := range s.relays {
		leads, err := p.leads(ctx)
		if err != nil {
			return err
		}
		if leads {
			p.Kill()
			return nil
		}
	}
	return errors.New("no relay leads")
}
