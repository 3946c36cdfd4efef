// Package exitcode has the exit codes of all commands.
package exitcode

// The exit codes. Help says when a command ends with which.
const (
	OK     = 0
	Failed = 1
	Misuse = 2
)

// Help is the list for --help and docs/exit-codes.md.
const Help = `Exit codes:
  0  success
  1  the command ran and the result is bad (outboxgen: findings, files out of date,
     an incompatible change; outboxchaos and outboxdemo: lost events), or it failed
     (outboxrelay: no connection to the database, an outbox that needs operator
     action, a problem that doctor found, no matching dead rows or events, a replay
     that was stopped)
  2  the command did not run: unknown command or flag, invalid argument or
     setting; outboxgen also: no project file, or nothing to compare with
`
