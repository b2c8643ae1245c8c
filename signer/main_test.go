//go:build !js

package main

import (
	"testing"

	"h5pay/internal/cleanup"
	"h5pay/internal/store/storetest"
)

func TestMain(m *testing.M) { cleanup.Main(func() int { return storetest.Main(m, false) }) }
