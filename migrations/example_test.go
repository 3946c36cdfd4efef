package migrations_test

import (
	"fmt"
	"log"
	"time"

	"github.com/outboxgen/outboxgen/migrations"
)

func ExampleFiles() {
	files, err := migrations.Files(migrations.Migrate, migrations.Options{
		Time: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range files {
		fmt.Println(f.Name)
	}
	// Output:
	// 20261124120000_event_outbox.down.sql
	// 20261124120000_event_outbox.up.sql
}
