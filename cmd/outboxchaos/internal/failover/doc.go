// Package failover measures how long an outbox publishes nothing when its primary
// fails and a standby is promoted.
//
// Each row of the table is one way in which the primary's machine fails. For each,
// two Postgres servers (a primary and its streaming standby) stand behind a proxy
// each, and two outboxrelay processes with every default go there with one address
// that lists both hosts and has no timeout in it. A writer inserts all the time.
// The primary's machine fails, the standby is promoted at once, the writer goes on
// there, and the clock runs from the failure to the first record of an event that
// was committed on the promoted server. Then everything that this server has must
// have been published, in order.
package failover
