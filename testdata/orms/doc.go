// Package orms shows how services that do not use pgx insert events and handle them
// once: with database/sql, GORM, sqlx, bun and ent. Each example is a test. It commits,
// rolls back, goes back to a savepoint, and consumes an event that comes twice with the
// inbox, on pgx's driver for database/sql and on lib/pq.
//
// It is a module of its own, so that no other module gets its requirements.
//
//go:generate go run github.com/outboxgen/outboxgen/cmd/outboxgen generate
package orms
