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
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// handler serves the HTTP endpoints of a relay process:
//
//	/healthz  200 while the process runs
//	/readyz   200 if every relay reaches its database and leads or stands by,
//	          else 503 with those that do not. A schema that a pattern found and that
//	          needs operator action is listed, and makes it 503 only if no outbox works
//	/status   the state of every relay, as JSON
//	/metrics  Prometheus
//
// withPage adds the web page.
//
// The status contains no secrets that the redactor knows.
func handler(relays *fleet) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		missing, unserved := unready(relays.all())
		if !relays.complete() {
			missing = append(missing, "schemas that match a pattern")
		}
		if len(missing) > 0 {
			http.Error(w, fmt.Sprintf("not ready: %s: cannot use the database; see /status", strings.Join(missing, ", ")), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
		if len(unserved) > 0 {
			fmt.Fprintf(w, "not served: %s; see /status\n", strings.Join(unserved, ", "))
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		states := map[string]relay.Status{}
		for _, r := range relays.all() {
			states[r.name] = withoutSecrets(r.status, relays.secrets)
		}
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(states) // a client that has left needs no answer
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(relays.metrics, promhttp.HandlerOpts{}))
	return mux
}

// unready returns the outboxes that make the process not ready, and those that are only
// reported: schemas that a pattern found and that need operator action, if another
// outbox works. One broken tenant must not stop the deployment for all.
func unready(all []memberState) (missing, unserved []string) {
	works := slices.ContainsFunc(all, func(m memberState) bool { return m.ready })
	for _, m := range all {
		switch {
		case m.ready:
		case m.problem == nil:
			missing = append(missing, m.name)
		case m.found && works:
			unserved = append(unserved, m.name+" (needs operator action)")
		default:
			missing = append(missing, m.name+" (needs operator action)")
		}
	}
	return missing, unserved
}

// withoutSecrets returns the status with redacted texts: reasons repeat messages of
// servers and drivers.
func withoutSecrets(s relay.Status, secrets *secret.Redactor) relay.Status {
	s.Reason = secrets.Text(s.Reason)
	s.OperatorPauses = slices.Clone(s.OperatorPauses)
	for i := range s.OperatorPauses {
		s.OperatorPauses[i].Reason = secrets.Text(s.OperatorPauses[i].Reason)
	}
	for _, list := range []*[]relay.Paused{&s.PausedTopics, &s.SetAside} {
		*list = slices.Clone(*list)
		for i := range *list {
			(*list)[i].Reason = secrets.Text((*list)[i].Reason)
		}
	}
	return s
}

// serve listens on the address until ctx ends. It returns once the address is bound, so
// that a port in use is an error at start.
func serve(ctx context.Context, address string, h http.Handler, log *slog.Logger) (wait func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		hint := ""
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "; another process has the port: end it if it is a relay that hangs, or set listen to another port"
		}
		return nil, fmt.Errorf("cannot listen on %s (setting listen; empty turns it off): %w%s", address, err, hint)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
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
			_ = server.Close() // after a failed shutdown
		}
		<-done
	}, nil
}
