// Package migrationstest has the tests of package migrations that need a
// Postgres. They stand here so that the module of package migrations requires
// nothing but pgx.
package migrationstest
