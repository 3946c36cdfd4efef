// Package secret keeps passwords out of what the command prints.
//
// It does so twice. [Postgres], [Redis] and [Broker] read addresses strictly: what
// a careless parser would split in the wrong place, as it does with a password that
// holds a slash, is refused, and the error never repeats the address. [Redactor]
// knows the secrets of the configuration and removes them, and their parts, from
// texts that come from elsewhere: errors of drivers, answers of servers.
package secret
