package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"h5pay/internal/order"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

func (b backend) listProducts(ctx context.Context, _ *v1Call) (any, error) {
	products, err := b.cfg.Store.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	list := v1.Products{Products: make([]v1.Product, len(products))}
	for i, p := range products {
		list.Products[i] = publicProduct(p)
	}
	return list, nil
}

func (b backend) getProduct(ctx context.Context, c *v1Call) (any, error) {
	return productOrError(b.cfg.Store.Product(ctx, c.PathValue("id")))
}

// putProduct stores a product. Existing orders keep their prices.
func (b backend) putProduct(ctx context.Context, c *v1Call) (any, error) {
	req, id := c.body.(v1.PutProduct), c.PathValue("id")
	switch {
	case !order.ValidProductID(id):
		return nil, wrongField("id", "want 1 to 64 letters, digits, '-' or '_'")
	case (req.MinAmount == 0) != (req.MaxAmount == 0):
		return nil, wrongField("max_amount", "send min_amount and max_amount, or neither")
	case req.MaxAmount < req.MinAmount:
		return nil, wrongField("max_amount", "want at least min_amount")
	case req.MaxAmount > 0 && (req.Price < req.MinAmount || req.Price > req.MaxAmount):
		return nil, wrongField("price", "want min_amount to max_amount")
	}
	p := order.Product{
		ID: id, Name: req.Name, Detail: req.Detail, Image: req.Image, Price: req.Price, MinPrice: req.MinAmount, MaxPrice: req.MaxAmount,
		Position: req.Position, Withdrawn: req.ForSale != nil && !*req.ForSale,
	}
	stored, err := b.cfg.Store.PutProduct(ctx, p)
	if err != nil {
		return nil, err
	}
	if !stored {
		return nil, &v1.Error{Code: v1.CodeFull, Message: "the catalogue has the maximum of products"}
	}
	b.logger(ctx).Info("product stored", "product", id, "price", p.Price, "by", c.by.id)
	return b.getProduct(ctx, c) // with its stock
}

// changeStock changes the stock of a product. Sales at the same time count.
func (b backend) changeStock(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.ChangeStock)
	change := order.StockChange{Set: req.Set, Unlimited: req.Unlimited}
	fields := 0
	for _, has := range []bool{req.Add != 0, req.Set != nil, req.Unlimited} {
		if has {
			fields++
		}
	}
	if fields != 1 {
		return nil, wrongField("add", "send add, set or unlimited, and one of them")
	}
	if req.Add != 0 {
		change.Add = &req.Add
	}
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(c.by.id + "\n" + c.idempotencyKey))
	p, err := b.cfg.Store.ChangeStock(ctx, c.PathValue("id"), change, hex.EncodeToString(sum[:16]), fingerprint, b.now())
	switch {
	case errors.Is(err, store.ErrStockKey):
		return nil, c.mismatch()
	case errors.Is(err, store.ErrNoStock):
		return nil, &v1.Error{Code: v1.CodeNoStock, Field: "add", Message: "add: the product has no stock; set one first"}
	case errors.Is(err, store.ErrStockBounds):
		return nil, &v1.Error{Code: v1.CodeNoStock, Field: "add", Message: fmt.Sprintf("add: the stock is %d, want a result from 0 to %d", *p.Stock, order.MaxStock)}
	case err == nil:
		b.logger(ctx).Info("stock changed", "product", p.ID, "add", req.Add, "by", c.by.id)
	}
	return productOrError(p, err)
}

func (b backend) deleteProduct(ctx context.Context, c *v1Call) (any, error) {
	p, err := productOrError(b.cfg.Store.DeleteProduct(ctx, c.PathValue("id")))
	if err == nil {
		b.logger(ctx).Info("product removed", "product", c.PathValue("id"), "by", c.by.id)
	}
	return p, err
}

func productOrError(p order.Product, err error) (any, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuch("product")
	}
	if err != nil {
		return nil, err
	}
	return publicProduct(p), nil
}

func publicProduct(p order.Product) v1.Product {
	return v1.Product{ID: p.ID, Name: p.Name, Detail: p.Detail, Image: p.Image, Price: p.Price,
		MinAmount: p.MinPrice, MaxAmount: p.MaxPrice, Position: p.Position, ForSale: !p.Withdrawn, Stock: p.Stock}
}
