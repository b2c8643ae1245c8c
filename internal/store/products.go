package store

import (
	"context"
	"database/sql"
	"strings"

	"h5pay/internal/order"
)

const selectProducts = `SELECT id, name, detail, image, price, COALESCE(min_price, 0) AS min_price, COALESCE(max_price, 0) AS max_price
	FROM products WHERE for_sale = 1`

// Products returns the products for sale, in the order of the catalogue.
func (s *Store) Products(ctx context.Context) ([]order.Product, error) {
	return readAll(ctx, s, "products", scanProduct, selectProducts+` ORDER BY position, id`)
}

// ProductsOf returns the products of a basket that are for sale.
func (s *Store) ProductsOf(ctx context.Context, b order.Basket) ([]order.Product, error) {
	ids := make([]any, len(b))
	for i, item := range b {
		ids[i] = item.ProductID
	}
	in := strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ")
	return readAll(ctx, s, "products", scanProduct, selectProducts+` AND id IN (`+in+`)`, ids...)
}

func scanProduct(rows *sql.Rows) (p order.Product, err error) {
	err = rows.Scan(&p.ID, &p.Name, &p.Detail, &p.Image, &p.Price, &p.MinPrice, &p.MaxPrice)
	return p, err
}
