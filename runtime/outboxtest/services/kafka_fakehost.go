package services

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services/fakeproto"
)

// fakeCommand is the program with the fake Kafkas, in the repository's root.
const fakeCommand = "cmd/internal/fakekafka"

// fakeSource says how to build the program with the fake Kafkas.
type fakeSource struct{ goTool, root string }

// findFakeSource looks for the repository in the working directory and above it.
func findFakeSource() (fakeSource, error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return fakeSource{}, fmt.Errorf("%w: no kfake: there is no go on PATH to build it with", ErrNotFound)
	}
	start, err := os.Getwd()
	if err != nil {
		return fakeSource{}, err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(filepath.Join(dir, fakeCommand)); err == nil && info.IsDir() {
			return fakeSource{goTool, dir}, nil
		}
		if dir == filepath.Dir(dir) {
			return fakeSource{}, fmt.Errorf("%w: no kfake: neither %s nor a folder above it has %s, from which it is built; "+
				"run this in a clone of the outboxgen repository, or use the real Kafka", ErrNotFound, start, fakeCommand)
		}
	}
}

// fakeHost is the process with the fake Kafkas.
type fakeHost struct {
	command  *exec.Cmd
	in       io.Closer
	stderr   bytes.Buffer // may be read after done
	done     chan struct{}
	controls sync.Map // of functions, by control

	writing sync.Mutex // guards out; reading goes on meanwhile, so that neither side waits for the other
	out     *json.Encoder

	mu      sync.Mutex                     // guards waiting
	waiting map[int64]chan fakeproto.Reply // nil once the process has ended

	last atomic.Int64 // the last number
}

// control is what is asked about: the requests of a kind to a cluster.
type control struct {
	cluster int64
	key     int16
}

// start builds and starts the process. It ends when this one does, since its
// input ends then.
func (s fakeSource) start() (*fakeHost, error) {
	h := &fakeHost{
		command: exec.Command(s.goTool, "run", "./"+fakeCommand), done: make(chan struct{}), waiting: map[int64]chan fakeproto.Reply{},
	}
	h.command.Dir = s.root
	h.command.Env = append(os.Environ(), "GOWORK="+filepath.Join(s.root, "go.work"), "GOFLAGS=")
	h.command.Stderr = &h.stderr
	h.command.SysProcAttr = attributes(nil, 0)
	in, err := h.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := h.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.in, h.out = in, json.NewEncoder(in)
	if err := h.command.Start(); err != nil {
		return nil, fmt.Errorf("start kfake: %w", err)
	}
	go h.read(json.NewDecoder(out))
	return h, nil
}

// Close ends the process.
func (h *fakeHost) Close() error {
	err := h.in.Close()
	<-h.done
	if !h.command.ProcessState.Success() {
		err = errors.Join(err, h.failure())
	}
	return err
}

func (h *fakeHost) failure() error {
	return fmt.Errorf("the process with kfake ended: %s\n%s", h.command.ProcessState, h.stderr.String())
}

// read reads what the process writes, until it ends.
func (h *fakeHost) read(replies *json.Decoder) {
	defer close(h.done)
	for {
		var r fakeproto.Reply
		if replies.Decode(&r) != nil {
			break
		}
		if r.Call != nil {
			go h.answer(r.Call)
			continue
		}
		h.mu.Lock()
		waiting := h.waiting[r.ID]
		delete(h.waiting, r.ID)
		h.mu.Unlock()
		waiting <- r
	}
	_ = h.command.Wait() // how it ended stands in its ProcessState
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, waiting := range h.waiting {
		close(waiting)
	}
	h.waiting = nil
}

// number returns a new number, for a request, a cluster or a fault.
func (h *fakeHost) number() int64 { return h.last.Add(1) }

// do makes a request and waits for its reply.
func (h *fakeHost) do(r fakeproto.Request) error {
	r.ID = h.number()
	waiting := make(chan fakeproto.Reply, 1)
	h.mu.Lock()
	if h.waiting == nil {
		h.mu.Unlock()
		return h.failure()
	}
	h.waiting[r.ID] = waiting
	h.mu.Unlock()
	h.write(r)
	reply, ok := <-waiting
	switch {
	case !ok:
		return h.failure()
	case reply.Error != "":
		return errors.New(reply.Error)
	}
	return nil
}

// cluster starts a fake Kafka in the process.
func (h *fakeHost) cluster(opts []KFakeOption) (*KafkaCluster, error) {
	const brokers = 3
	r := fakeproto.Request{Do: fakeproto.Start, Cluster: h.number(), Ports: make([]int, brokers)}
	for _, o := range opts {
		o(&r)
	}
	var err error
	const tries = 5 // another process may take a port first
	for range tries {
		addresses := make([]string, len(r.Ports))
		for i := range r.Ports {
			if r.Ports[i], err = freePort(); err != nil {
				return nil, err
			}
			addresses[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Ports[i]))
		}
		if err = h.do(r); err == nil {
			fake := &FakeKafka{host: h, id: r.Cluster}
			return &KafkaCluster{Brokers: addresses, Fake: fake, own: fake, control: true}, nil
		}
	}
	return nil, err
}

// answer asks the function of a control.
func (h *fakeHost) answer(call *fakeproto.Call) {
	answer := fakeproto.Request{ID: call.ID, Do: fakeproto.Answer}
	request := kmsg.RequestForKey(call.Key)
	request.SetVersion(call.Version)
	do, ok := h.controls.Load(control{call.Cluster, call.Key})
	if err := request.ReadFrom(call.Body); ok && err == nil {
		if response := do.(func(kmsg.Request) kmsg.Response)(request); response != nil {
			answer.Response = response.AppendTo(nil)
		}
	}
	h.write(answer)
}

// write writes a request. If it fails the process has ended, and read says so.
func (h *fakeHost) write(r fakeproto.Request) {
	h.writing.Lock()
	defer h.writing.Unlock()
	_ = h.out.Encode(r)
}
