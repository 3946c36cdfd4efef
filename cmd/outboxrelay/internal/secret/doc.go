// Package secret keeps passwords out of the command's output.
//
// It works in two ways. [Redactor.Postgres], [Redactor.Redis] and [Redactor.Broker]
// parse addresses strictly: they refuse an address that a parser may split in the wrong
// place, such as one with a slash in its password, and their errors never repeat the
// address. A [Redactor] knows the secrets of the configuration and removes them, and
// their parts, from other texts: errors of drivers, answers of servers.
package secret
