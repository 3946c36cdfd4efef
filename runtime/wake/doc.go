// Package wake sends wake-ups from the services that write events to the relay, through
// Redis or Postgres.
//
// A wake-up is a hint that rows may be waiting. It is sent after the commit. It may get
// lost, and it may come when there are no new rows: the relay also polls, and finds every
// row without it. A wake-up shortens the latency from the poll interval to about a
// millisecond.
//
// # The writer's side
//
// These functions make a waker for outbox.Options:
//
//	Redis      the service has a rueidis.Client (github.com/redis/rueidis)
//	RedisWith  the service has another client, for instance go-redis
//	RedisLazy  the waker makes its own client, so Redis may be unavailable at the start
//	Postgres   without Redis
//
// An outbox.Outbox calls the waker from one goroutine, with a timeout, and lets commits
// that follow each other quickly share a wake-up.
//
// # The relay's side
//
// A relay waits on a [RedisSource] or a [PostgresSource]. Only the leader waits. A
// source consumes the wake-up before Wait returns, and the relay reads after that. So a
// commit during the read wakes the relay again. A source connects in the first Wait,
// and connects again with back-off when needed. Each new connection counts as a
// wake-up, because one may have been sent while no connection was open.
//
// A leader that is suspended, or whose connection to Redis is half open, can consume
// the wake-up that its successor needs. So choose a poll interval that meets your
// latency without wake-ups.
//
// # Redis
//
// There is one list per outbox, outbox:wake:{service}, so a cluster works. The writer
// pushes one element and trims the list to it; the relay blocks in BLPOP, deletes any
// remaining elements, and reads. The key expires after a minute without a writer. A
// writer's Redis user needs LPUSH, LTRIM and EXPIRE on that key, the relay's PING, BLPOP
// and DEL.
//
// Neither side waits for a silent Redis. Wake returns when its context ends; an
// outbox.Outbox limits it to Options.WakeTimeout (250 ms), and no transaction waits for
// it. The source waits 2 s for a connection or an answer, and 7 s for a wake-up; then it
// tries again with pauses from 100 ms to 5 s.
//
// # Postgres
//
// The writer sends NOTIFY on its own connection, and at most one in a window of a
// millisecond ([DefaultWindow]). It never sends it within a business transaction, because
// that would serialise all commits of the cluster. The relay LISTENs on its own session.
// A pooler in transaction mode accepts LISTEN and never delivers; the source detects that
// with a probe from a second connection, and returns a [PoolerError].
package wake
