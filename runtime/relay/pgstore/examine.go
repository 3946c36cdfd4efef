package pgstore

import (
	"context"
	"errors"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Examine makes the checks of Check and returns all problems, not only the first one. A
// check that depends on one that failed is left out. Warnings go to the logger, as in
// Check. An error means that it could not look.
func (s *Store) Examine(ctx context.Context) ([]*relay.SetupError, error) {
	if err := s.open(); err != nil {
		return nil, err
	}
	var found []*relay.SetupError
	err := s.server.with(ctx, func(r *serverRun) error {
		found = nil
		if err := keepProblem(&found, r.surroundings.check(ctx)); err != nil || len(found) > 0 {
			return err // through a pooler, no session can be trusted
		}
		return s.watchOn(ctx, r, func(se *session) error {
			found = nil
			return s.examine(ctx, se.unprepared(), &found)
		})
	})
	if err := keepProblem(&found, err); err != nil {
		return found, s.wrap("examine the outbox", err)
	}
	return found, nil
}

// examine makes the checks with one session.
func (s *Store) examine(ctx context.Context, se *session, found *[]*relay.SetupError) error {
	server, err := se.q.DescribeServer(ctx)
	if err != nil {
		return err
	}
	c := &checked{server: server}
	for _, checks := range s.checks {
		for _, check := range checks {
			if err := keepProblem(found, check(ctx, se, c)); err != nil {
				return err
			}
		}
		if len(*found) > 0 {
			break // the others need what is missing
		}
	}
	s.warnDurability(ctx, server)
	return nil
}

// keepProblem adds a SetupError to those that were found, and returns other errors.
func keepProblem(found *[]*relay.SetupError, err error) error {
	if setup, ok := errors.AsType[*relay.SetupError](asSetup(err)); ok {
		*found = append(*found, setup)
		return nil
	}
	return err
}
