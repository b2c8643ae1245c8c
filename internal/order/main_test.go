package order_test

import (
	"os"
	"testing"

	"h5pay/internal/order/ordertest"
)

// TestMain also checks the query plan of every statement that the tests ran.
func TestMain(m *testing.M) { os.Exit(ordertest.Main(m, false)) }
