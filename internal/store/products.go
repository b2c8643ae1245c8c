package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"h5pay/internal/order"
)

// MaxProducts bounds the catalogue.
const MaxProducts = 500

const productColumns = `id, name, detail, image, price, COALESCE(min_price, 0) AS min_price, COALESCE(max_price, 0) AS max_price, position, for_sale, stock`

const selectProducts = `SELECT ` + productColumns + ` FROM products WHERE for_sale = 1`

// Products returns the products for sale, in the order of the catalogue.
func (s *Store) Products(ctx context.Context) ([]order.Product, error) {
	return readAll(ctx, s, "products", scanProduct, selectProducts+` ORDER BY position, id`)
}

// pricesHold is SQL for whether the products of lines are for sale with the names and prices of the
// lines. lines is a parameter with the JSON of []order.Line.
func pricesHold(lines string) string {
	return `NOT EXISTS (SELECT 1 FROM json_each(` + lines + `) WHERE NOT EXISTS (SELECT 1 FROM products
		WHERE products.id = value ->> 'product_id' AND for_sale = 1 AND products.name = value ->> 'name'
		AND CAST(value ->> 'price' AS INTEGER) BETWEEN COALESCE(min_price, products.price) AND COALESCE(max_price, products.price)))`
}

// productsJSON is SQL for a JSON list of the products for sale whose IDs are in the JSON list
// ?2.
const productsJSON = `(SELECT json_group_array(json_object('ID', id, 'Name', name, 'Price', price, 'MinPrice', COALESCE(min_price, 0), 'MaxPrice', COALESCE(max_price, 0), 'Stock', stock))
	FROM products WHERE for_sale = 1 AND id IN (SELECT value FROM json_each(?2)))`

func decodeProducts(list string) ([]order.Product, error) {
	var products []order.Product
	if err := json.Unmarshal([]byte(list), &products); err != nil {
		return nil, fmt.Errorf("reading products: %w", err)
	}
	return products, nil
}

// ProductsByID returns the products for sale with some IDs, without their texts for the
// page.
func (s *Store) ProductsByID(ctx context.Context, ids []string) ([]order.Product, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	var products string
	if err := s.db.QueryRowContext(ctx, `SELECT `+productsJSON+` WHERE ?1 = ''`, "", string(list)).Scan(&products); err != nil {
		return nil, fmt.Errorf("reading products: %w", err)
	}
	return decodeProducts(products)
}

// Catalogue returns all products, also those that are not for sale, in the order of the
// catalogue.
func (s *Store) Catalogue(ctx context.Context) ([]order.Product, error) {
	return readAll(ctx, s, "products", scanProduct, `SELECT `+productColumns+` FROM products ORDER BY position, id`)
}

// Product returns a product, also one that is not for sale.
func (s *Store) Product(ctx context.Context, id string) (order.Product, error) {
	return one(readAll(ctx, s, "products", scanProduct, `SELECT `+productColumns+` FROM products WHERE id = ?`, id))
}

// PutProduct stores a product in the place of the one with the same ID, whose stock stays. It reports false,
// and stores nothing, if the product is new and the catalogue has MaxProducts.
func (s *Store) PutProduct(ctx context.Context, p order.Product) (bool, error) {
	var least, most any
	if p.Named() {
		least, most = int64(p.MinPrice), int64(p.MaxPrice)
	}
	return s.run(ctx, "storing product "+p.ID, `
		INSERT INTO products (id, name, detail, image, price, min_price, max_price, position, for_sale)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
		WHERE (SELECT COUNT(*) FROM products) < ?10 OR EXISTS (SELECT 1 FROM products WHERE id = ?1)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, detail = excluded.detail, image = excluded.image, price = excluded.price,
			min_price = excluded.min_price, max_price = excluded.max_price, position = excluded.position, for_sale = excluded.for_sale`,
		p.ID, p.Name, p.Detail, p.Image, int64(p.Price), least, most, p.Position, flag(!p.Withdrawn), MaxProducts)
}

// DeleteProduct removes a product and returns it. Orders keep their lines.
func (s *Store) DeleteProduct(ctx context.Context, id string) (order.Product, error) {
	return one(readAll(ctx, s, "products", scanProduct, `DELETE FROM products WHERE id = ? RETURNING `+productColumns, id))
}

func scanProduct(rows *sql.Rows) (p order.Product, err error) {
	var forSale bool
	err = rows.Scan(&p.ID, &p.Name, &p.Detail, &p.Image, &p.Price, &p.MinPrice, &p.MaxPrice, &p.Position, &forSale, &p.Stock)
	p.Withdrawn = !forSale
	return p, err
}
