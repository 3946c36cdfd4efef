// Package wake carries wake-ups from the services that write events to the relay
// that moves them: by Redis, or by Postgres itself.
//
// A wake-up is a hint that rows may be waiting. It is sent after the commit, it
// may get lost, it may come for nothing; the relay polls as well and is correct
// without one. What it buys is latency, a millisecond instead of the poll
// interval.
//
// # The writer's end
//
// [Redis], [RedisLazy] and [Postgres] make a waker for outbox.Options. An outbox.Outbox calls
// it from one goroutine, with a timeout, and lets the commits of a busy moment
// share a wake-up.
//
// # The relay's end
//
// [RedisSource] and [PostgresSource] are what a relay waits on. Only the leader
// waits. A source consumes the wake-up before Wait returns, and the relay reads
// after that; so a commit that comes while the relay reads wakes it again. A
// source connects when it is first waited on, and connects again with back-off
// whenever it must. Each new connection counts as a wake-up, for there may have
// been one while nobody listened.
//
// A leader that is frozen, or cut off from Redis with its connection half open,
// can swallow the wake-up that its successor needs. Nothing here prevents that:
// the poll interval alone must meet the latency that is promised.
//
// # Redis
//
// There is one list per outbox, outbox:wake:{service}, so a cluster works. The
// writer pushes one element and trims the list to it; the relay blocks in BLPOP,
// deletes what is left, and reads. The key expires after a minute without a
// writer. A writer's Redis user needs LPUSH, LTRIM and EXPIRE on that key, the
// relay's PING, BLPOP and DEL.
//
// Neither end depends on Redis to answer. Wake returns when its context ends, which
// an outbox.Outbox bounds by Options.WakeTimeout (250 ms) and which no transaction
// waits for. The source gives up a connection attempt and an answer after 2 s, and a
// wait after 7 s; it then tries again with pauses from 100 ms to 5 s.
//
// # Postgres
//
// The writer sends NOTIFY on a connection of its own, never within a business
// transaction (that would serialise all commits of the cluster), and at most one
// in a window of a millisecond ([DefaultWindow]). The relay LISTENs on a session of its own. A
// pooler in transaction mode accepts LISTEN and never delivers; the source finds
// out with a probe from a second connection, and says so with a [PoolerError].
package wake
