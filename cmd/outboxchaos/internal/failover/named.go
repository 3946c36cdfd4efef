package failover

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/role"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// NamedConfig is the configuration of a relay process that looks up names by itself: see
// package role.
type NamedConfig struct {
	Database  string
	Brokers   []string
	Addresses []string // of every name
}

// RunNamed runs a relay with default settings that does not ask the system's resolver.
// It prints the lines of outboxrelay that the harness reads. It runs until it is killed
// or its standard input ends.
func RunNamed(stdin io.Reader, stderr io.Writer) error {
	var cfg NamedConfig
	input, err := role.Read(stdin, &cfg)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	conn, err := pgx.ParseConfig(cfg.Database)
	if err != nil {
		return err
	}
	conn.LookupFunc = func(context.Context, string) ([]string, error) { return cfg.Addresses, nil }
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: log})
	if err != nil {
		return err
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(cfg.Brokers...)}})
	if err != nil {
		return err
	}
	r, err := relay.New(relay.Config{Store: store, Sink: sink, Logger: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: describe(r), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // it ends with the process
	log.Info(saysListening, "address", listener.Addr().String())
	return input.Run(r.Run, func(string, func()) {})
}

// describe answers the requests that the harness sends to outboxrelay.
func describe(r *relay.Relay) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !r.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]relay.Status{"": r.Status()}) // a client that has left needs no answer
	})
	return mux
}
