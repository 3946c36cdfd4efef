//go:build unix

package incidents_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }
