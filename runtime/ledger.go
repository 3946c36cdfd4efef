package outbox

import (
	"context"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

func init() {
	link.NewWriter = func(options any) link.Writer { return writer{New(nil, options.(Options))} }
}

// writer is an Outbox whose transactions are those of package outboxsql.
type writer struct{ *Outbox }

func (w writer) Retry(ctx context.Context, readOnly bool, once func() error) error {
	return w.retry(ctx, readOnly, once)
}

func (w writer) CommitContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), w.options.CommitTimeout)
}

func (w writer) Debug(ctx context.Context, message string, err error) {
	w.options.Logger.DebugContext(ctx, message, "error", err)
}

func (w writer) NewLedger() link.Ledger {
	return &ledger{of: w.Outbox, kept: kept{options: w.rowOptions}}
}

// ledger is what an *outboxsql.Tx remembers about its events. Each is inserted immediately,
// so the database drops the events of a savepoint, and kept only follows it.
type ledger struct {
	of   *Outbox
	kept kept
}

// insert inserts events on the transaction of the ledger.
func (l *ledger) insert(ctx context.Context, tx Transaction, sql link.SQL, events []Event) error {
	list, err := l.kept.build(ctx, events, l.kept.closed)
	if err != nil {
		return err
	}
	for _, s := range plan(sql, list, nil) {
		tag, err := tx.Exec(ctx, s.sql, s.args...)
		if err != nil {
			return refused(s.built, err, nil)
		}
		l.kept.entries = append(l.kept.entries, entry{statement: s, sent: true, inserted: tag.RowsAffected(), level: len(l.kept.marks)})
		if err := resolve(s.built, tag.RowsAffected()); err != nil {
			return err
		}
	}
	return nil
}

func (l *ledger) Before(sql string) (ran func(), err error) {
	if l.kept.closed {
		return nil, errTxClosed
	}
	found := controls(sql, false)
	if len(found) == 0 {
		return nil, nil
	}
	for _, c := range found {
		if c.kind == controlEnd {
			return nil, l.kept.end()
		}
	}
	return func() {
		for _, c := range found {
			_ = l.kept.follow(c) // only controlEnd has an error
		}
	}, nil
}

func (l *ledger) Misuse() error { return l.kept.misuse }

func (l *ledger) End() error {
	if l.kept.closed {
		return errTxClosed
	}
	return l.kept.end()
}

func (l *ledger) Close()      { l.kept.closed = true }
func (l *ledger) Events() int { return l.kept.events() }

func (l *ledger) Committed(ctx context.Context, known bool) { l.of.committed(ctx, &l.kept, known) }
