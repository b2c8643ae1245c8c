package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/startpage"
)

func (s *Server) getConfig(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, s.config())
}

// config is the shop's public configuration.
func (s *Server) config() api.Config {
	return api.Config{
		AppID:      s.shop.AppID,
		ShopName:   s.shop.Name,
		Scope:      s.cfg.Scope,
		TradeTypes: s.shop.TradeTypes,
		Currency:   order.Currency,
	}
}

func (s *Server) listProducts(w http.ResponseWriter, r *http.Request) error {
	products, err := s.products(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.ProductList{Products: products})
}

// products returns the products for sale, in display order.
func (s *Server) products(ctx context.Context) ([]api.Product, error) {
	stored, err := s.payment.Products(ctx)
	if err != nil {
		return nil, err
	}
	products := make([]api.Product, len(stored))
	for i, p := range stored {
		products[i] = api.Product{ID: p.ID, Name: p.Name, Detail: p.Detail, Image: p.Image, Price: p.Price}
		if p.Named() {
			products[i].Amount = &api.AmountBounds{Min: p.MinPrice, Max: p.MaxPrice}
		}
		if p.Stock != nil && *p.Stock < api.MaxQuantity {
			left := int(max(0, *p.Stock))
			products[i].Left = &left
		}
	}
	return products, nil
}

func (s *Server) getStartPage(w http.ResponseWriter, r *http.Request) error {
	parts, err := s.StartPage(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, parts)
}

// StartPage returns the parts of the start page that depend on the catalogue.
func (s *Server) StartPage(ctx context.Context) (api.StartPage, error) {
	products, err := s.products(ctx)
	if err != nil {
		return nil, err
	}
	return startpage.New(api.Catalogue{Config: s.config(), Products: products})
}
