// Package redisinbox makes a consumer skip events that it has handled, with
// Redis as its memory. It is for effects that are not rows of the consumer's own
// Postgres: a mail, a call of another service, a row in another database. If the
// effects are such rows, use package inbox: it commits the memory and the effects
// together.
//
// [Inbox.Once] wraps handlers of package consume, one or all of a router:
//
//	in, err := redisinbox.New(client, "grades", redisinbox.Options{})
//	router := consume.NewRouter(consume.Use(in.Once))
//
// Each event has one key, inbox:<consumer>:<event id>, which is in one of three
// states:
//
//	none     the event is not being handled, and is not known to have been handled
//	leased   a consumer handles it now; the key expires unless it is renewed
//	done     it was handled; the key stays for the TTL of its event type
//
// A delivery takes the lease, which is renewed while the handler runs. If the handler
// succeeds, the key becomes done; if it fails, the key is removed. A delivery that
// finds the key done is skipped: the event's id and type come from the record's
// headers, and the body is not read. A delivery that finds the key leased waits for
// the outcome, because the other consumer may fail to handle the event. If that
// consumer dies, the wait ends when its lease expires. Every command uses one key, so
// a Redis cluster works.
//
// # What can be handled twice
//
// The effects and the mark are not one transaction, so no setting makes this exactly
// once. An event is handled again if it is delivered again and
//
//   - the consumer died, or was ended by its caller, after the effect and before
//     the mark: a window of one round trip to Redis;
//   - the handler made no progress for longer than the lease (a frozen process, a lost
//     network between it and Redis), so that another consumer took the event over. The
//     context of the handler that lost the lease ends, with [ErrLeaseLost] as its cause,
//     as soon as the inbox notices;
//   - Redis lost the key: it was restarted without persistence, failed over to a
//     replica that lagged behind, or evicted the key (use the policy noeviction);
//   - Redis was unavailable when the event was delivered ([HandleAnyway]), or when it was
//     to be marked;
//   - the mark had expired: the repeat came later than the TTL.
//
// No event is lost: an event is marked only after its handler succeeded.
package redisinbox
