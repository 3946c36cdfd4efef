package outbox_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// proxy stands between a pool and its database, and lets a test intervene.
type proxy struct {
	// Pool goes through the proxy.
	Pool *pgxpool.Pool

	mu   sync.Mutex
	next func() verdict
}

// verdict is what the proxy does with what the client sends.
type verdict int

const (
	passOn        verdict = iota
	dropAndCut            // the server never sees it
	passOnThenCut         // the client never sees the answer
)

// Next calls do once, for the next data that the client sends. If it is called at the
// end of a function given to InTx, that is the last round trip, with COMMIT.
func (p *proxy) Next(do func() verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = do
}

func newProxy(t *testing.T, url string, mode pgx.QueryExecMode) *proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	network, address := "unix", filepath.Join(config.ConnConfig.Host, fmt.Sprintf(".s.PGSQL.%d", config.ConnConfig.Port))
	if !filepath.IsAbs(config.ConnConfig.Host) {
		network, address = "tcp", net.JoinHostPort(config.ConnConfig.Host, fmt.Sprint(config.ConnConfig.Port))
	}

	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(t, client, network, address) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })

	config.ConnConfig.Host, config.ConnConfig.Port = dir, 5432
	config.ConnConfig.Fallbacks, config.ConnConfig.TLSConfig = nil, nil
	config.ConnConfig.DefaultQueryExecMode = mode
	if p.Pool, err = pgxpool.NewWithConfig(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Pool.Close)
	return p
}

func (p *proxy) serve(t *testing.T, client net.Conn, network, address string) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial(network, address)
	if err != nil {
		t.Errorf("proxy: %v", err)
		return
	}
	defer func() { _ = server.Close() }()

	var answers sync.WaitGroup
	defer answers.Wait()
	cut := make(chan struct{}) // closed: the next answer is not passed on
	answers.Go(func() {
		defer func() { _ = client.Close() }()
		copyUntil(client, server, cut)
	})
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			_ = server.Close()
			return
		}
		do := p.seen()
		if do == dropAndCut {
			_ = server.Close()
			return
		}
		if do == passOnThenCut {
			close(cut)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) seen() verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	do := p.next
	p.next = nil
	if do == nil {
		return passOn
	}
	return do()
}

// copyUntil copies. Once cut is closed, it waits for one more answer, and drops it.
func copyUntil(client, server net.Conn, cut <-chan struct{}) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		select {
		case <-cut:
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
