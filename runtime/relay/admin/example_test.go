package admin_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// Lists the dead letters of one event type, and replays them.
func Example() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	chosen := admin.Filter{EventType: "shop.order_placed.v1"}
	letters, err := admin.DeadLetters(ctx, conn, chosen, 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range letters {
		fmt.Println(l.EventID, l.LastError)
	}
	n, err := admin.Replay(ctx, conn, chosen, admin.Decision{Actor: "ann", Reason: "max.message.bytes raised"})
	fmt.Println(n, err)
}
