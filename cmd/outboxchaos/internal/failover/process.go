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
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/child"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// relayProcess is a relay in its own process. One goroutine uses it.
type relayProcess struct {
	start   func() (*exec.Cmd, error)
	log     string // path of the file for its output
	cmd     *exec.Cmd
	address string // address of its HTTP server
	done    <-chan struct{}
}

// run starts the process, and returns once it leads or stands by.
func (p *relayProcess) run(ctx context.Context, ready bool) (err error) {
	if p.cmd, err = p.start(); err != nil {
		return err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	listening := make(chan string, 1)
	if p.done, err = child.Start(p.cmd, syscall.SIGKILL, func() { p.listen(stderr, log, listening) }); err != nil {
		return errors.Join(err, log.Close())
	}
	select {
	case p.address = <-listening:
	case <-p.done:
		return fmt.Errorf("a relay ended; its log is %s", p.log)
	case <-ctx.Done():
		return ctx.Err()
	}
	if !ready {
		return nil
	}
	return until(ctx, "the relay is ready", func() (bool, error) { return p.answers(ctx, "/readyz", nil) == nil, nil })
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

// kill ends the process at once.
func (p *relayProcess) kill() {
	if p.done == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended
	<-p.done
}

// restartRelays kills both relays and starts them again.
func (s *site) restartRelays(ctx context.Context) error {
	for _, p := range s.relays {
		p.kill()
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
			p.kill()
			return nil
		}
	}
	return errors.New("no relay leads")
}

// until waits until a condition is true.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	const every = 20 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
