package pgstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A transaction pooler looks like the server until a second client comes.
func TestCheckFindsATransactionPooler(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		p := startPooler(t, pg)
		s := newStore(t, pg, func(c *pgstore.Config) {
			c.Conn.Host, c.Conn.Port, c.Conn.TLSConfig, c.Conn.Fallbacks = p.host, p.port, nil, nil
		})
		got := checkError(t, s)
		if !strings.Contains(got.Problem, "pooler in transaction or statement mode") {
			t.Fatalf("Check says: %v", got)
		}
		if !errors.Is(got, pgstore.ErrPooler) {
			t.Errorf("%v is no ErrPooler", got)
		}
		s.Close()
	})
}

// pooler hands each transaction of a client to the server session that was given
// back last, as PgBouncer does in transaction mode.
type pooler struct {
	host string
	port uint16

	pg   *services.PG
	mu   sync.Mutex
	free []*pgconn.HijackedConn
}

func startPooler(t *testing.T, pg *services.PG) *pooler {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().(*net.TCPAddr)
	p := &pooler{host: "127.0.0.1", port: uint16(address.Port), pg: pg}
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				defer func() { _ = conn.Close() }()
				if err := p.serve(ctx, conn); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Logf("pooler: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		stop()
		_ = listener.Close()
		clients.Wait()
		for _, server := range p.free {
			_ = server.Conn.Close()
		}
	})
	return p
}

func (p *pooler) take(ctx context.Context) (*pgconn.HijackedConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		server := p.free[n-1]
		p.free = p.free[:n-1]
		return server, nil
	}
	conn, err := pgconn.Connect(ctx, p.pg.URL)
	if err != nil {
		return nil, err
	}
	return conn.Hijack()
}

func (p *pooler) giveBack(server *pgconn.HijackedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, server)
}

// serve answers for the server until the client leaves.
func (p *pooler) serve(ctx context.Context, conn net.Conn) error {
	client := pgproto3.NewBackend(conn, conn)
	startup, err := client.ReceiveStartupMessage()
	if err != nil {
		return err
	}
	if _, ok := startup.(*pgproto3.SSLRequest); ok {
		if _, err := conn.Write([]byte("N")); err != nil {
			return err
		}
		if _, err := client.ReceiveStartupMessage(); err != nil {
			return err
		}
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	client.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if err := client.Flush(); err != nil {
		return err
	}
	var server *pgconn.HijackedConn
	defer func() {
		if server != nil {
			_ = server.Conn.Close()
		}
	}()
	for {
		m, err := client.Receive()
		if err != nil {
			return err
		}
		if _, ok := m.(*pgproto3.Terminate); ok {
			return nil
		}
		if server == nil {
			if server, err = p.take(ctx); err != nil {
				return err
			}
		}
		server.Frontend.Send(m)
		if err := server.Frontend.Flush(); err != nil {
			return err
		}
		switch m.(type) {
		case *pgproto3.Query, *pgproto3.Sync:
			idle, err := answer(client, server.Frontend)
			if err != nil {
				return err
			}
			if idle { // before the client hears of it
				p.giveBack(server)
				server = nil
			}
			if err := client.Flush(); err != nil {
				return err
			}
		}
	}
}

// answer collects the server's messages until it is ready, and reports whether
// the transaction has ended.
func answer(client *pgproto3.Backend, server *pgproto3.Frontend) (bool, error) {
	for {
		m, err := server.Receive()
		if err != nil {
			return false, err
		}
		client.Send(m)
		if ready, ok := m.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I', nil
		}
	}
}
