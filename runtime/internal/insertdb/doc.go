// Package insertdb has the statements of services that are the same for every schema of
// events: for delayed events, and for events with a partition of their own.
package insertdb

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc generate
