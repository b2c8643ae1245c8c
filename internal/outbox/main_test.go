package outbox_test

import (
	"os"
	"testing"

	"h5pay/internal/store/storetest"
)

// TestMain also checks the query plan of every statement that the tests ran.
func TestMain(m *testing.M) { os.Exit(storetest.Main(m, false)) }
