// Package failover measures how long an outbox publishes nothing when its primary
// fails and a standby is promoted.
//
// Each row of the table is one way in which the primary's machine fails. There are two
// Postgres servers, a primary and its streaming standby, each behind a proxy. Two
// outboxrelay processes with default settings connect with one address that lists both
// hosts and has no timeout. A writer inserts all the time. The primary's machine fails,
// the standby is promoted immediately, and the writer continues there. The time from the
// failure to the first record of an event that was committed on the promoted server is
// measured. At the end everything that this server has must have been published, in
// order.
package failover
