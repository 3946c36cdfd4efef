package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

const (
	barePageRows = 5_000
	bareRead     = `SELECT seq, event_key, event_data::text FROM event_outbox
		WHERE published_at IS NULL AND dead_at IS NULL AND seq > $1 ORDER BY seq LIMIT $2`
	bareReadLog = `SELECT seq, event_key, event_data::text FROM event_outbox WHERE seq > $1 ORDER BY seq LIMIT $2`
	bareLog     = `UPDATE event_outbox_cursor SET seq = (SELECT max(s) FROM unnest($1::bigint[]) AS s)`

	bareMark   = `UPDATE event_outbox SET published_at = now() WHERE seq = ANY($1) AND published_at IS NULL AND dead_at IS NULL`
	bareDelete = `DELETE FROM event_outbox WHERE seq = ANY($1) AND published_at IS NULL AND dead_at IS NULL`
)

// barePage is a page of rows that the bare loop reads, sends and settles.
type barePage struct {
	seqs    []int64
	records []*kgo.Record
}

// bare drains with a loop written by hand. It loses an event that commits late.
func (d drain) bare(ctx context.Context, l *lab, brokers []string, late func() error) (usage, error) {
	var conns [2]*pgx.Conn
	for i := range conns {
		conn, err := pgx.Connect(ctx, l.url)
		if err != nil {
			return usage{}, err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing depends on the goodbye
		// As in the relay: the plan must not depend on when statistics were collected.
		if _, err := conn.Exec(ctx, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET plan_cache_mode = force_generic_plan"); err != nil {
			return usage{}, err
		}
		conns[i] = conn
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return usage{}, err
	}
	defer client.Close()
	settle, err := bareSettle(d.mode)
	if err != nil {
		return usage{}, err
	}
	used, err := l.during(ctx, func() error {
		return pump(ctx, conns[0], client, conns[1], d.bareRead(), settle, cmp.Or(d.topic, topic))
	})
	if err != nil {
		return usage{}, err
	}
	return used, late()
}

// bareSettle returns the statement with which a bare loop settles.
func bareSettle(mode pgstore.Mode) (string, error) {
	settle, ok := map[pgstore.Mode]string{pgstore.Mark: bareMark, pgstore.Delete: bareDelete, inLog: bareLog}[mode]
	if !ok {
		return "", fmt.Errorf("the bare loop has no statement for the settlement mode %q", mode)
	}
	return settle, nil
}

// bareRead returns the statement with which a bare loop reads.
func (d drain) bareRead() string {
	if d.mode == inLog {
		return bareReadLog
	}
	return bareRead
}

// pump reads, sends and settles at the same time, until nothing waits.
func pump(ctx context.Context, reader *pgx.Conn, client *kgo.Client, settler *pgx.Conn, read, settle, topic string) error {
	steps, ctx := errgroup.WithContext(ctx)
	pages, sent := make(chan barePage, 2), make(chan barePage, 2)
	steps.Go(func() error {
		defer close(pages)
		return readPages(ctx, reader, read, topic, pages)
	})
	steps.Go(func() error {
		defer close(sent)
		for p := range pages {
			if err := client.ProduceSync(ctx, p.records...).FirstErr(); err != nil {
				return err
			}
			sent <- p
		}
		return nil
	})
	steps.Go(func() error {
		var failed error
		for p := range sent { // reads until it is closed, so that no sender stays blocked
			if failed == nil {
				_, failed = settler.Exec(ctx, settle, p.seqs)
			}
		}
		return failed
	})
	return steps.Wait()
}

func readPages(ctx context.Context, conn *pgx.Conn, read, topic string, pages chan<- barePage) error {
	var after int64
	for {
		p, err := readPage(ctx, conn, read, topic, after)
		if err != nil || len(p.seqs) == 0 {
			return err
		}
		after = p.seqs[len(p.seqs)-1]
		select {
		case pages <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func readPage(ctx context.Context, conn *pgx.Conn, read, topic string, after int64) (barePage, error) {
	rows, err := conn.Query(ctx, read, after, barePageRows)
	if err != nil {
		return barePage{}, err
	}
	return scanPage(rows, topic)
}

func scanPage(rows pgx.Rows, topic string) (barePage, error) {
	defer rows.Close()
	var p barePage
	for rows.Next() {
		var seq int64
		r := &kgo.Record{Topic: topic}
		if err := rows.Scan(&seq, &r.Key, &r.Value); err != nil {
			return barePage{}, err
		}
		p.seqs = append(p.seqs, seq)
		p.records = append(p.records, r)
	}
	return p, rows.Err()
}
