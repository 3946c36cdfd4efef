// Package redisinbox makes a consumer skip events that it has handled, with
// Redis as its memory. It is for effects that are not rows of the consumer's own
// Postgres: a mail, a call of another service, a row in another database. Where
// the effects are such rows, package inbox is the better choice: there the memory
// and the effects are committed together.
//
// [Inbox.Once] wraps handlers of package consume, one or all of a router:
//
//	in, err := redisinbox.New(client, "grades", redisinbox.Options{})
//	router := consume.NewRouter(consume.Use(in.Once))
//
// Each event has one key, inbox:<consumer>:<event id>, which is in one of three
// states:
//
//	none     nobody handles the event, and nobody is known to have handled it
//	leased   a consumer handles it now; the key expires unless it is renewed
//	done     it was handled; the key stays for the TTL of its event type
//
// A delivery takes the lease, which is renewed while the handler runs. When the
// handler succeeds the key becomes done, when it fails the key is removed. A
// delivery that finds the key done is skipped: the event's id and type come from
// the record's headers, and the body is not looked at. One that finds it leased
// waits for what becomes of it, since to pass over an event that another consumer
// may yet fail to handle would lose it. A consumer that dies is waited for until
// its lease has run out. Every command touches one key, so a Redis cluster will do.
//
// # What can be handled twice
//
// The effects and the mark are not one transaction, so no setting makes this
// once and only once. An event is handled again when it is delivered again and
//
//   - the consumer died, or was ended by its caller, after the effect and before
//     the mark: a window of one round trip to Redis;
//   - the handler stood still for longer than the lease (a frozen process, a lost
//     network between it and Redis), so that another consumer took the event over.
//     The context of the handler that lost the lease ends, with [ErrLeaseLost] as
//     its cause, as soon as it finds out;
//   - Redis lost the key: it was restarted without persistence, failed over to a
//     replica that lagged behind, or evicted the key (use the policy noeviction);
//   - Redis was away when the event was delivered ([HandleAnyway]), or when it was
//     to be marked;
//   - the mark had expired: the repeat came later than the TTL.
//
// No event is lost: only a handler that succeeded leads to a mark.
package redisinbox
