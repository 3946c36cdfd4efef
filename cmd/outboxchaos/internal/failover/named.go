package failover

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// NamedConfig is what a relay process gets on its standard input, as JSON, that
// looks up names by itself.
type NamedConfig struct {
	Database  string
	Brokers   []string
	Addresses []string // of every name
}

// RunNamed returns a relay with every default, except that the system's resolver is not
// asked. It says what outboxrelay says, as far as the harness listens, and runs until
// it is killed or its standard input ends.
func RunNamed(stdin io.Reader, stderr io.Writer) error {
	var cfg NamedConfig
	input := json.NewDecoder(stdin)
	if err := input.Decode(&cfg); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_ = input.Decode(&struct{}{}) // until the harness is gone
		cancel()
	}()
	return r.Run(ctx)
}

// describe answers what the harness asks outboxrelay.
func describe(r *relay.Relay) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !r.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]relay.Status{"": r.Status()}) // a client that left needs none
	})
	return mux
}
