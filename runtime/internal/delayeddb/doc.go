// Package delayeddb has the statements for delayed events of services.
package delayeddb

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
