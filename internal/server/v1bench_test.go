package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"h5pay/internal/paytest"
	"h5pay/internal/v1"
)

// BenchmarkCreateOrderByAPI measures orders of a back end, with a product of the catalogue, by eight
// callers for each core. SQLite waits for the disk with FULL, as in the product, and does not with OFF.
func BenchmarkCreateOrderByAPI(b *testing.B) {
	for _, synchronous := range []string{"OFF", "FULL"} {
		b.Run("synchronous "+synchronous, func(b *testing.B) {
			back := newBackEnd(paytest.NewShop(b, nil), v1.ScopeWrite)
			if _, err := back.DB.Exec(`PRAGMA synchronous = ` + synchronous); err != nil {
				b.Fatal(err)
			}
			var n atomic.Int64
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r := back.request("POST", "/v1/orders", fmt.Sprintf(`{"lines":[{"product_id":"tea","quantity":1}],"reference":"R-%d"}`, n.Add(1)))
					w := httptest.NewRecorder()
					back.Handler.ServeHTTP(w, r)
					if w.Code != http.StatusCreated {
						b.Errorf("%d %s", w.Code, w.Body)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}
