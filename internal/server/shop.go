package server

import (
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
)

func (s *Server) getConfig(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, api.Config{
		AppID:      s.shop.AppID,
		ShopName:   s.shop.Name,
		Scope:      s.cfg.Scope,
		TradeTypes: s.shop.TradeTypes,
		Currency:   order.Currency,
	})
}

func (s *Server) listProducts(w http.ResponseWriter, r *http.Request) error {
	products, err := s.cfg.Store.Products(r.Context())
	if err != nil {
		return err
	}
	list := api.ProductList{Products: make([]api.Product, len(products))}
	for i, p := range products {
		list.Products[i] = api.Product{ID: p.ID, Name: p.Name, Detail: p.Detail, Image: p.Image, Price: p.Price}
		if p.Named() {
			list.Products[i].Amount = &api.AmountBounds{Min: p.MinPrice, Max: p.MaxPrice}
		}
	}
	return writeJSON(w, http.StatusOK, list)
}
