package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"h5pay/internal/order"
)

const selectProducts = `SELECT id, name, detail, image, price, COALESCE(min_price, 0) AS min_price, COALESCE(max_price, 0) AS max_price
	FROM products WHERE for_sale = 1`

// Products returns the products for sale, in the order of the catalogue.
func (s *Store) Products(ctx context.Context) ([]order.Product, error) {
	rows, err := s.db.QueryContext(ctx, selectProducts+` ORDER BY position, id`)
	if err != nil {
		return nil, fmt.Errorf("listing products: %w", err)
	}
	return scanProducts(rows)
}

// ProductsOf returns the products of a basket that are for sale.
func (s *Store) ProductsOf(ctx context.Context, b order.Basket) ([]order.Product, error) {
	ids := make([]any, len(b))
	for i, item := range b {
		ids[i] = item.ProductID
	}
	in := strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ")
	rows, err := s.db.QueryContext(ctx, selectProducts+` AND id IN (`+in+`)`, ids...)
	if err != nil {
		return nil, fmt.Errorf("reading products: %w", err)
	}
	return scanProducts(rows)
}

func scanProducts(rows *sql.Rows) ([]order.Product, error) {
	defer rows.Close()
	var products []order.Product
	for rows.Next() {
		var p order.Product
		if err := rows.Scan(&p.ID, &p.Name, &p.Detail, &p.Image, &p.Price, &p.MinPrice, &p.MaxPrice); err != nil {
			return nil, fmt.Errorf("reading a product: %w", err)
		}
		products = append(products, p)
	}
	return products, rows.Err()
}
