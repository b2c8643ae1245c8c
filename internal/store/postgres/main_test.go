package postgres_test

import (
	"os"
	"testing"

	"h5pay/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, false)) }
