package services

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
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
	if dir := above(fakeCommand); dir != "" {
		return fakeSource{goTool, dir}, nil
	}
	return fakeSource{}, fmt.Errorf("%w: no kfake: neither the working directory nor a folder above it has %s, from which it is built; "+
		"run this in a clone of the outboxgen repository, or use the real Kafka", ErrNotFound, fakeCommand)
}

// fakeHost is the process with the fake Kafkas.
type fakeHost struct {
	command  *exec.Cmd
	client   *rpc.Client
	stderr   bytes.Buffer // may be read after done
	done     chan struct{}
	controls sync.Map // of functions, by fakeproto.Control
	last     atomic.Int64
}

// pipes are the process's standard output and input.
type pipes struct {
	io.Reader
	io.WriteCloser
}

// start builds and starts the process. It ends when this one does, since its
// input ends then.
func (s fakeSource) start() (*fakeHost, error) {
	h := &fakeHost{command: exec.Command(s.goTool, "run", "./"+fakeCommand), done: make(chan struct{})}
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
	if err := h.command.Start(); err != nil {
		return nil, fmt.Errorf("start kfake: %w", err)
	}
	h.client = rpc.NewClient(pipes{out, in})
	go h.serve()
	return h, nil
}

// Close ends the process.
func (h *fakeHost) Close() error {
	err := h.client.Close()
	<-h.done
	if !h.command.ProcessState.Success() {
		err = errors.Join(err, h.failure())
	}
	return err
}

// failure says how the process ended.
func (h *fakeHost) failure() error {
	<-h.done
	return fmt.Errorf("the process with kfake ended: %s\n%s", h.command.ProcessState, h.stderr.String())
}

// serve answers the process's calls, until it ends.
func (h *fakeHost) serve() {
	defer close(h.done)
	for {
		var call fakeproto.Call
		if h.client.Call(fakeproto.Name+".Next", int64(0), &call) != nil {
			break
		}
		go h.answer(call)
	}
	_ = h.command.Wait() // how it ended stands in its ProcessState
}

// answer asks the function of a control.
func (h *fakeHost) answer(call fakeproto.Call) {
	answer := fakeproto.Answer{Number: call.Number}
	request := kmsg.RequestForKey(call.Key)
	request.SetVersion(call.Version)
	do, ok := h.controls.Load(call.Control)
	if err := request.ReadFrom(call.Body); ok && err == nil {
		if response := do.(func(kmsg.Request) kmsg.Response)(request); response != nil {
			answer.Response = response.AppendTo(nil)
		}
	}
	_ = h.do("Answer", answer) // it fails only if the process has ended
}

func (h *fakeHost) number() int64 { return h.last.Add(1) }

func (h *fakeHost) do(method string, argument any) error {
	err := h.client.Call(fakeproto.Name+"."+method, argument, new(int))
	if _, ok := errors.AsType[rpc.ServerError](err); err != nil && !ok {
		return h.failure()
	}
	return err
}

// cluster starts a fake Kafka in the process.
func (h *fakeHost) cluster(opts []KFakeOption) (*KafkaCluster, error) {
	const brokers = 3
	c := fakeproto.Cluster{Number: h.number(), Ports: make([]int, brokers)}
	for _, o := range opts {
		o(&c)
	}
	var err error
	const tries = 5 // another process may take a port first
	for range tries {
		addresses := make([]string, len(c.Ports))
		for i := range c.Ports {
			if c.Ports[i], err = freePort(); err != nil {
				return nil, err
			}
			addresses[i] = net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Ports[i]))
		}
		if err = h.do("Start", c); err == nil {
			fake := &FakeKafka{host: h, id: c.Number}
			return &KafkaCluster{Brokers: addresses, Fake: fake, own: fake, control: true}, nil
		}
	}
	return nil, err
}
