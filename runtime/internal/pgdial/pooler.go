package pgdial

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPooler matches an error that a pooler in front of the server has caused.
var ErrPooler = errors.New("pgdial: a pooler in front of the server does not keep the session")

// fromPooler is an error that matches ErrPooler.
type fromPooler struct{ error }

func (e fromPooler) Unwrap() error      { return e.error }
func (fromPooler) Is(target error) bool { return target == ErrPooler }

// FromPooler returns err as an error that matches ErrPooler.
func FromPooler(err error) error { return fromPooler{err} }

// PoolerSays reports whether only a pooler returns this error: PgBouncer's complaints
// about its use (its temporary errors, such as query_wait_timeout, have the same code,
// so the text decides), or a prepared statement that is missing or exists already
// because the server session is another one. Only the caller may prepare or drop
// statements of its sessions.
func PoolerSays(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	const invalidStatementName, duplicateStatement, protocolViolation = "26000", "42P05", "08P01"
	switch pgErr.Code {
	case invalidStatementName, duplicateStatement:
		return true
	case protocolViolation:
		for _, complaint := range []string{
			"unsupported startup parameter", "not allowed in statement pooling mode", "prepared statement",
		} {
			if strings.Contains(pgErr.Message, complaint) {
				return true
			}
		}
	}
	return false
}
