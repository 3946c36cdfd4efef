package pgstore_test

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

func ExampleNew() {
	conn, err := pgx.ParseConfig("postgres://relay@db.example/shop?target_session_attrs=read-write")
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := pgstore.New(pgstore.Config{
		Conn:   conn,
		Schema: "orders",
		Mode:   pgstore.Delete,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close() // a relay closes its store itself

	cfg := relay.Config{Store: store} // and Sink, where the records go
	fmt.Println(cfg.Store != nil)
	// Output: true
}
