package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// handler serves what operators and orchestrators ask a relay process:
//
//	/healthz  200 while the process runs
//	/readyz   200 when every relay reaches its database and leads or stands by,
//	          else 503 and which do not
//	/status   the state of every relay, as JSON
//	/metrics  Prometheus
//
// What the status says is without the secrets that the redactor knows.
func handler(relays *fleet) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var missing []string
		for _, r := range relays.all() {
			if !r.ready {
				name := r.name
				if r.problem != nil {
					name += " (needs operator action)"
				}
				missing = append(missing, name)
			}
		}
		if !relays.complete() {
			missing = append(missing, "schemas that match a pattern")
		}
		if len(missing) > 0 {
			http.Error(w, fmt.Sprintf("not ready: %s: cannot work with the database; /status says why", strings.Join(missing, ", ")), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		states := map[string]relay.Status{}
		for _, r := range relays.all() {
			states[r.name] = withoutSecrets(r.status, relays.secrets)
		}
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(states) // a client that left has no use for the answer
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(relays.metrics, promhttp.HandlerOpts{}))
	return mux
}

// withoutSecrets is the status with its texts redacted: reasons repeat what
// servers and drivers said.
func withoutSecrets(s relay.Status, secrets *secret.Redactor) relay.Status {
	s.Reason = secrets.Text(s.Reason)
	for _, list := range []*[]relay.Paused{&s.PausedTopics, &s.SetAside} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i].Reason = secrets.Text((*list)[i].Reason)
		}
	}
	return s
}

// serve answers on the address until ctx ends. It returns once the address is
// bound, so that a port in use stops the start rather than a log line later.
func serve(ctx context.Context, address string, h http.Handler, log *slog.Logger) (wait func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s (setting listen; empty turns it off): %w", address, err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the HTTP server ended", "error", err)
		}
	}()
	log.Info("listening", "address", listener.Addr().String())
	return func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if err := server.Shutdown(bounded); err != nil {
			_ = server.Close() // the polite way failed, this one cannot
		}
		<-done
	}, nil
}
