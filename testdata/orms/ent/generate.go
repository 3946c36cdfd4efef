// Package ent is ent's client for the table orders. To write it again, run with a
// module that has ent's command:
//
//	go run entgo.io/ent/cmd/ent generate --feature sql/execquery ./ent/schema
package ent
