package wake_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(services.Wrap(m),
		// rueidis checks the topology again a second after a failure. It sleeps until
		// then even if the client is closed.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}
