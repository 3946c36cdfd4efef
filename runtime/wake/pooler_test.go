package wake_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// startPooler starts a pooler in transaction mode in front of the database: each
// client's transactions run in turn on two servers, and what a server sends while
// no transaction runs reaches nobody. It returns the pooler's URL.
func startPooler(t *testing.T, url string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pooler") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			clients.Go(func() { serve(t, conn, url) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		clients.Wait()
		_ = os.RemoveAll(dir)
	})
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("host=%s port=5432 user=%s dbname=%s sslmode=disable", dir, config.User, config.Database)
}

// serve is one client's connection to the pooler.
func serve(t *testing.T, conn net.Conn, url string) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // a lost client ends, too
	servers := [2]*pgconn.HijackedConn{}
	for i := range servers {
		server, err := pgconn.Connect(t.Context(), url)
		if err != nil {
			t.Errorf("pooler: %v", err)
			return
		}
		if servers[i], err = server.Hijack(); err != nil {
			t.Errorf("pooler: %v", err)
			return
		}
		defer func() { _ = servers[i].Conn.Close() }()
	}

	client := pgproto3.NewBackend(conn, conn)
	if _, err := client.ReceiveStartupMessage(); err != nil {
		return
	}
	client.Send(&pgproto3.AuthenticationOk{})
	for name, value := range servers[0].ParameterStatuses {
		client.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	client.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}) // made up, as poolers do
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})

	for turn := 0; client.Flush() == nil; {
		message, err := client.Receive()
		if err != nil {
			return
		}
		server := servers[turn%2].Frontend
		switch message.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Query, *pgproto3.Sync:
			server.Send(message)
			ended, err := answer(server, client)
			if err != nil {
				return
			}
			if ended {
				turn++
			}
		default:
			server.Send(message)
		}
	}
}

// answer passes on the server's messages up to ReadyForQuery, and reports whether the
// transaction has ended.
func answer(server *pgproto3.Frontend, client *pgproto3.Backend) (bool, error) {
	if err := server.Flush(); err != nil {
		return false, err
	}
	for {
		message, err := server.Receive()
		if err != nil {
			return false, err
		}
		client.Send(message)
		if ready, ok := message.(*pgproto3.ReadyForQuery); ok {
			return ready.TxStatus == 'I', nil
		}
	}
}
