package payment

import (
	"context"
	"sync"
	"time"

	"h5pay/internal/order"
)

// catalogueLife is how long prices are computed with a catalogue that was read. The statement that
// stores an order compares them with those of the database, so no order has an old price.
const catalogueLife = time.Minute

// catalogue holds the products for sale, as they were last read.
type catalogue struct {
	mu       sync.Mutex
	products []order.Product
	until    time.Time // the products are used before it
}

func (c *catalogue) get(now time.Time) ([]order.Product, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.products, now.Before(c.until)
}

func (c *catalogue) set(products []order.Product, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.products, c.until = products, until
}

// Products returns the products for sale, in the order of the catalogue, as they are now.
func (s *Service) Products(ctx context.Context) ([]order.Product, error) {
	began := s.now()
	products, err := s.cfg.Store.Products(ctx)
	if err == nil {
		s.catalogue.set(products, began.Add(catalogueLife))
	}
	return products, err
}
