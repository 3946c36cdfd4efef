package services_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// asChild makes this test binary start servers and wait to be killed.
const asChild = "SERVICES_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) != "" {
		child()
	}
	goleak.VerifyTestMain(services.Wrap(m))
}

// child prints the process ids of its servers and of one session, and waits for its
// end.
func child() {
	ctx := context.Background()
	postgres, err := services.StartPostgres(ctx, services.Private())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	session, err := openSession(ctx, postgres.URL("postgres"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(postgres.PID(), session)
	time.Sleep(time.Hour)
}
