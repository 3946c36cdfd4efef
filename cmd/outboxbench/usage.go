package main

import (
	"context"
	"fmt"
	"runtime/metrics"
	"time"
)

// usage is what something used.
type usage struct {
	transactions         int64         // or events
	took, server, client time.Duration // server and client are processor time
	wal                  int64         // bytes
	allocations          uint64
}

func (u *usage) add(v usage) {
	u.transactions += v.transactions
	u.took += v.took
	u.server += v.server
	u.client += v.client
	u.wal += v.wal
	u.allocations += v.allocations
}

// each returns how many there were in a second, and what each cost: µs of the server's
// processor time, bytes of WAL, µs of the client's processor time, and allocations.
func (u *usage) each() []float64 {
	n := float64(u.transactions)
	micros := func(d time.Duration) float64 { return float64(d.Microseconds()) / n }
	return []float64{n / u.took.Seconds(), micros(u.server), float64(u.wal) / n, micros(u.client), float64(u.allocations) / n}
}

// total returns the processor time of server and client in seconds, and the WAL in MB.
func (u *usage) total() []float64 {
	return []float64{u.server.Seconds(), u.client.Seconds(), float64(u.wal) / megabyte}
}

// during measures what the function uses.
func (l *lab) during(ctx context.Context, do func() error) (usage, error) {
	wal, server, err := l.serverUse(ctx)
	if err != nil {
		return usage{}, err
	}
	start, client, objects := time.Now(), ownCPU(), allocations()
	if err := do(); err != nil {
		return usage{}, err
	}
	u := usage{took: time.Since(start), client: ownCPU() - client, allocations: allocations() - objects}
	u.wal, u.server, err = l.serverUse(ctx)
	u.wal, u.server = u.wal-wal, max(0, u.server-server) // a session that ends meanwhile can make it less
	return u, err
}

// serverUse returns how many bytes of WAL the server has written, and its processor time.
func (l *lab) serverUse(ctx context.Context) (wal int64, cpu time.Duration, err error) {
	var pid int
	err = l.admin.QueryRow(ctx, "SELECT pg_backend_pid(), (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&pid, &wal)
	if err != nil {
		return 0, 0, fmt.Errorf("read the position of the WAL: %w", err)
	}
	return wal, siblingsCPU(pid), nil
}

// allocations returns how many objects this process has allocated.
func allocations() uint64 {
	objects := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(objects)
	return objects[0].Value.Uint64()
}
