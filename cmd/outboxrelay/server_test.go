package main

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A relay that hangs keeps its port. The message says so, as another one cannot start beside it.
func TestServeOnAPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	address := taken.Addr().String()
	_, err = serve(t.Context(), address, http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("no error")
	}
	const want = "cannot listen on ADDRESS (setting listen; empty turns it off): listen tcp ADDRESS: bind: address already in use; " +
		"another process has the port: end it if it is a relay that hangs, or set listen to another port"
	if diff := cmp.Diff(want, strings.ReplaceAll(err.Error(), address, "ADDRESS")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
