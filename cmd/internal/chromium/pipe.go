package chromium

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
)

// pipe is a connection to a browser.
type pipe struct {
	session  string // of the page; "" before it is attached
	out      *os.File
	stderr   string // the file with what the browser says
	patience time.Duration

	mu      sync.Mutex
	changed *sync.Cond
	last    int
	answers map[int]message
	loaded  map[load]bool
	logged  []string
	ended   error
}

// load is a document that a frame has loaded.
type load struct{ frame, loader string }

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

// start starts a browser, which ends with the test, and its helpers with it.
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
	folder, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.Create(filepath.Join(folder, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(folder, "profile"), "--no-first-run",
		"--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions",
		"--no-sandbox") // which does not work for root, nor in most containers; the pages are ours
	cmd.ExtraFiles = []*os.File{commands, results} // 3 and 4
	cmd.Stderr = stderr
	browser, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	p := &pipe{out: toBrowser, stderr: stderr.Name(), patience: patience, answers: map[int]message{}, loaded: map[load]bool{}}
	p.changed = sync.NewCond(&p.mu)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read(fromBrowser)
	}()
	go func() {
		<-browser.Ended()
		p.end(errors.New("its process is gone")) // a helper may still hold the pipe
	}()
	t.Cleanup(func() {
		p.session = ""
		if p.call("Browser.close", nil, nil) == nil {
			browser.EndsWithin(p.patience)
		}
		browser.KillGroup()
		for _, f := range []*os.File{toBrowser, fromBrowser} {
			_ = f.Close()
		}
		<-done
		remove(t, folder)
	})
	for _, f := range []*os.File{commands, results, stderr} {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// remove removes the folder of a browser. A helper that is about to end may still write
// into it.
func remove(t testing.TB, folder string) {
	t.Helper()
	const times, pause = 50, 100 * time.Millisecond
	var err error
	for range times {
		if err = os.RemoveAll(folder); err == nil {
			return
		}
		time.Sleep(pause)
	}
	t.Errorf("chromium: remove the profile: %v", err)
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
	if err := p.out.SetWriteDeadline(time.Now().Add(p.patience)); err != nil {
		return err
	}
	if _, err := p.out.Write(append(text, 0)); err != nil {
		return fmt.Errorf("send to the browser: %w%s", err, p.said())
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
	timer := time.AfterFunc(p.patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer timer.Stop()
	deadline := time.Now().Add(p.patience)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !is() {
		if p.ended != nil {
			return fmt.Errorf("the browser ended: %w%s", p.ended, p.said())
		}
		if !time.Now().Before(deadline) {
			return fmt.Errorf("no answer in %v%s", p.patience, p.said())
		}
		p.changed.Wait()
	}
	return nil
}

// said returns the end of what the browser has written to its standard error.
func (p *pipe) said() string {
	const most = 2000
	text, err := os.ReadFile(p.stderr)
	if err != nil || len(text) == 0 {
		return ""
	}
	return "; it said:\n" + string(text[max(0, len(text)-most):])
}

// loads returns the documents that were loaded so far.
func (p *pipe) loads() map[load]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.loaded)
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
			p.end(err)
			return
		}
		p.take(text[:len(text)-1])
	}
}

// end makes all calls fail.
func (p *pipe) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended == nil {
		p.ended = why
	}
	p.changed.Broadcast()
}

// take stores an answer, or what an event says.
func (p *pipe) take(text []byte) {
	var m struct {
		message

		Params struct {
			ExceptionDetails *struct {
				Text, URL string
				Exception struct{ Description string }
			}
			Entry                   *struct{ Level, Text, URL string }
			ErrorText               string
			Canceled                bool
			FrameID, LoaderID, Name string
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
	switch m.Method {
	case "Page.lifecycleEvent":
		if m.Params.Name == "load" {
			p.loaded[load{m.Params.FrameID, m.Params.LoaderID}] = true
		}
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
