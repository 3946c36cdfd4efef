package link

import "context"

// NewWriter makes what outboxsql.Outbox shares with outbox.Outbox. options is an
// outbox.Options. Package outbox sets it when it is initialized.
var NewWriter func(options any) Writer

// Writer is an Outbox without a pool.
type Writer interface {
	// Wake wakes the relay.
	Wake()
	// Close waits for the wake-up under way and allows no other.
	Close()
	// Retry runs once, and runs it again as Options.MaxRetries allows. readOnly says
	// that the transactions are not meant to write.
	Retry(ctx context.Context, readOnly bool, once func() error) error
	// CommitContext returns a context for COMMIT or ROLLBACK: ctx cannot cancel it, and
	// Options.CommitTimeout bounds it.
	CommitContext(ctx context.Context) (context.Context, context.CancelFunc)
	// Debug writes a line to the log.
	Debug(ctx context.Context, message string, err error)
	// NewLedger returns the books of one transaction.
	NewLedger() Ledger
}

// Ledger keeps track of a transaction that inserts its events immediately: which of them
// are in it, and which a savepoint took away. It is not safe for concurrent use.
type Ledger interface {
	// Before looks at SQL that is about to run. It returns an error if the SQL must not
	// run. Call ran, unless it is nil, once the SQL has run without an error: until then
	// a savepoint is neither there nor gone.
	Before(sql string) (ran func(), err error)
	// Misuse is the error of SQL, or of a call, that would have ended the transaction.
	Misuse() error
	// End dooms the transaction, and returns the error for the call that wanted to end
	// it.
	End() error
	// Close refuses whatever comes later.
	Close()
	// Events counts the events of the transaction.
	Events() int
	// Committed logs the events and wakes the relay. Unless known, the commit may not
	// have happened: then nothing is logged.
	Committed(ctx context.Context, known bool)
}

// Ledgered is a transaction that has a Ledger: an *outboxsql.Tx.
type Ledgered interface {
	Ledger() Ledger
}
