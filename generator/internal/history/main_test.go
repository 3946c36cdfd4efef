package history_test

import (
	"os"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { os.Exit(services.Wrap(m).Run()) }
