package server

import (
	"context"
	"net/http"

	"h5pay/internal/api"
)

// adminSelling returns whether the shop sells.
func (s *Server) adminSelling(w http.ResponseWriter, r *http.Request) error {
	return s.writeSelling(r.Context(), w)
}

// adminSetSelling stops or resumes selling.
func (s *Server) adminSetSelling(w http.ResponseWriter, r *http.Request) error {
	var req api.SellingRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Selling == nil {
		return reject(api.CodeBadRequest, "selling: want true or false")
	}
	ctx := context.WithoutCancel(r.Context())
	if err := s.payment.SetSelling(ctx, *req.Selling); err != nil {
		return err
	}
	return s.writeSelling(ctx, w)
}

func (s *Server) writeSelling(ctx context.Context, w http.ResponseWriter) error {
	state, err := s.payment.SellingState(ctx)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, state)
}
