package storeadmin_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
