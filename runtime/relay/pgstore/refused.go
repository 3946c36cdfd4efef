package pgstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// asRefused adds relay.ErrRefused to an error that stays until somebody changes
// something: a privilege, a policy, a table, the server.
func asRefused(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || pgdial.PoolerSays(err) || !lasting(pgErr) {
		return err
	}
	if _, known := errors.AsType[*relay.SetupError](err); known {
		return err
	}
	return fmt.Errorf("%w: %w", relay.ErrRefused, err)
}

func lasting(err *pgconn.PgError) bool {
	const (
		accessRuleViolation = "42" // the class: privileges, and missing objects
		featureNotSupported = "0A000"
		invalidSchemaName   = "3F000"
		notInState          = "55000"
	)
	switch {
	case strings.HasPrefix(err.Code, accessRuleViolation), err.Code == invalidSchemaName, err.Code == notInState:
		return true
	case err.Code == featureNotSupported:
		// A statement that was prepared before a column changed is prepared again. The server's
		// message may be in any language, and this function of it has only this one error.
		return err.Routine != "RevalidateCachedQuery"
	}
	return false
}
