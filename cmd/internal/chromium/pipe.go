package chromium

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// pipe is a connection to a browser.
type pipe struct {
	session string // of the page; "" before it is attached
	out     io.Writer

	mu      sync.Mutex
	changed *sync.Cond
	last    int
	answers map[int]message
	counts  map[string]int
	logged  []string
	ended   error
}

// message is one message of the protocol, in either direction.
type message struct {
	ID        int             `json:"id,omitempty"`
	Method    string          `json:"method,omitempty"`
	Params    any             `json:"params,omitempty"`
	SessionID string          `json:"sessionId,omitempty"`
	Result    json.RawMessage `json:"result,omitempty"`
	Error     *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// start starts a browser, which ends with the test.
func start(t testing.TB, program string) *pipe {
	t.Helper()
	commands, toBrowser, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromBrowser, results, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--user-data-dir="+t.TempDir(), "--no-first-run",
		"--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
		"--no-sandbox") // which does not work for root, nor in most containers; the pages are ours
	cmd.ExtraFiles = []*os.File{commands, results} // 3 and 4
	if err := cmd.Start(); err != nil {
		t.Fatalf("chromium: %v", err)
	}
	p := &pipe{out: toBrowser, answers: map[int]message{}, counts: map[string]int{}}
	p.changed = sync.NewCond(&p.mu)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read(fromBrowser)
	}()
	t.Cleanup(func() {
		_ = p.call("Browser.close", nil, nil) // or else it is killed
		timer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // the code says nothing
		timer.Stop()
		for _, f := range []*os.File{toBrowser, fromBrowser} {
			_ = f.Close()
		}
		<-done
	})
	for _, f := range []*os.File{commands, results} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// call sends a command and waits for its answer.
func (p *pipe) call(method string, params, into any) error {
	p.mu.Lock()
	p.last++
	id := p.last
	p.mu.Unlock()
	text, err := json.Marshal(message{ID: id, Method: method, Params: params, SessionID: p.session})
	if err != nil {
		return err
	}
	if _, err := p.out.Write(append(text, 0)); err != nil {
		return err
	}
	var answer message
	if err := p.until(func() bool {
		var ok bool
		answer, ok = p.answers[id]
		delete(p.answers, id)
		return ok
	}); err != nil {
		return err
	}
	if answer.Error != nil {
		return errors.New(answer.Error.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, into)
}

// until waits for a condition, which it checks under the lock.
func (p *pipe) until(is func() bool) error {
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !is() {
		if p.ended != nil {
			return fmt.Errorf("the browser ended: %w", p.ended)
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("no answer in %v", patience)
		}
		p.changed.Wait()
	}
	return nil
}

// count returns how many events of a kind there were.
func (p *pipe) count(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[method]
}

// wait waits until there were so many events of a kind.
func (p *pipe) wait(method string, n int) error {
	return p.until(func() bool { return p.counts[method] >= n })
}

func (p *pipe) problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.logged...)
}

// read reads messages until the browser ends.
func (p *pipe) read(from io.Reader) {
	in := bufio.NewReader(from)
	for {
		text, err := in.ReadBytes(0)
		if err != nil {
			p.mu.Lock()
			p.ended = err
			p.changed.Broadcast()
			p.mu.Unlock()
			return
		}
		p.take(text[:len(text)-1])
	}
}

// take stores an answer, or counts an event.
func (p *pipe) take(text []byte) {
	var m struct {
		message

		Params struct {
			ExceptionDetails *struct {
				Text, URL string
				Exception struct{ Description string }
			}
			Entry     *struct{ Level, Text, URL string }
			ErrorText string
			Canceled  bool
		} `json:"params"`
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed.Broadcast()
	if err := json.Unmarshal(text, &m); err != nil {
		p.logged = append(p.logged, "a message that cannot be read: "+err.Error())
		return
	}
	if m.ID != 0 {
		p.answers[m.ID] = m.message
		return
	}
	p.counts[m.Method]++
	switch m.Method {
	case "Runtime.exceptionThrown":
		if e := m.Params.ExceptionDetails; e != nil {
			p.logged = append(p.logged, fmt.Sprintf("exception: %s %s %s", e.Text, e.Exception.Description, e.URL))
		}
	case "Log.entryAdded":
		if e := m.Params.Entry; e != nil && (e.Level == "error" || e.Level == "warning") {
			p.logged = append(p.logged, fmt.Sprintf("%s: %s %s", e.Level, e.Text, e.URL))
		}
	case "Network.loadingFailed":
		if !m.Params.Canceled {
			p.logged = append(p.logged, "request failed: "+m.Params.ErrorText)
		}
	}
}
