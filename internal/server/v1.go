package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"h5pay/internal/reqlog"
	"h5pay/internal/v1"
)

// handlers returns the handler of each route by its name.
func (b backend) handlers() map[string]v1Handler {
	return map[string]v1Handler{
		"createOrder":  b.createOrder,
		"listOrders":   b.listOrders,
		"getOrder":     b.getOrder,
		"closeOrder":   b.closeOrder,
		"createRefund": b.createRefund,
		"closeOrders":  b.closeOrders,
		"deleteOrders": b.deleteOrders,
		"getRefund":    b.getRefund,

		"createRefundRequest": b.createRefundRequest,
		"listRefundRequests":  b.listRefundRequests,
		"confirmRefund":       b.confirmRefund,
		"declineRefund":       b.declineRefund,

		"createKey":     b.createKey,
		"listKeys":      b.listKeys,
		"revokeKey":     b.revokeKey,
		"listProducts":  b.listProducts,
		"getProduct":    b.getProduct,
		"putProduct":    b.putProduct,
		"deleteProduct": b.deleteProduct,
		"changeStock":   b.changeStock,

		"createLink": b.createLink,
		"listLinks":  b.listLinks,
		"getLink":    b.getLink,
		"changeLink": b.changeLink,
		"getPoster":  b.getPoster,

		"listEvents":        b.listEvents,
		"getEvent":          b.getEvent,
		"replayEvent":       b.replayEvent,
		"replayEvents":      b.replayEvents,
		"createEndpoint":    b.createEndpoint,
		"listEndpoints":     b.listEndpoints,
		"getEndpoint":       b.getEndpoint,
		"changeEndpoint":    b.changeEndpoint,
		"deleteEndpoint":    b.deleteEndpoint,
		"rotateSecret":      b.rotateSecret,
		"testEndpoint":      b.testEndpoint,
		"listNotifications": b.listNotifications,
		"listBills":         b.listBills,
		"getBill":           b.getBill,
		"checkBill":         b.checkBill,
		"stopBill":          b.stopBill,

		"exportPerson": b.exportPerson,
		"erasePerson":  b.erasePerson,

		"getToday":         b.getToday,
		"createPhoto":      b.createPhoto,
		"tableOrders":      b.tableOrders,
		"tableRefunds":     b.tableRefunds,
		"tableBills":       b.tableBills,
		"tableSettlements": b.tableSettlements,
		"listAudit":        b.listAudit,
		"checkAudit":       b.checkAudit,

		"getSelling":  b.getSelling,
		"putSelling":  b.putSelling,
		"getCounters": b.getCounters,
		"listChecks":  b.listChecks,
	}
}

// register adds the routes of package v1 to mux.
func (b backend) register(mux *http.ServeMux) {
	handlers := b.handlers()
	for _, route := range v1.Routes {
		if h, ok := handlers[route.Name]; ok {
			mux.Handle(route.Method+" "+route.Path, b.serve(route, h))
		}
	}
}

// serve checks the requirements of a route, makes the call and writes the response.
func (b backend) serve(route v1.Route, h v1Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		response, err := b.answer(w, r, route, h)
		if d, ok := response.(document); ok && err == nil {
			d.write(w, route.Status)
			return
		}
		if err == nil {
			err = writeJSON(w, route.Status, response)
		}
		if err != nil {
			b.writeV1Error(w, r, err)
		}
	})
}

func (b backend) answer(w http.ResponseWriter, r *http.Request, route v1.Route, h v1Handler) (any, error) {
	// The body is read first, so that one statement can read the API key and the products of
	// the body. An error of the key is still reported first. A large body is read last, so that
	// callers without a key cannot make the shop wait for it.
	large := route.MaxBody > maxBody
	var body any
	var bodyErr error
	if !large {
		body, bodyErr = readCallBody(r, route)
	}
	by, products, err := b.authenticate(w, r, productsOf(body))
	if err != nil {
		return nil, err
	}
	defer b.noteUse(r.Context(), by)()
	if !by.has(route.Scope) {
		return nil, &v1.Error{Code: v1.CodeScopeMissing, Message: fmt.Sprintf("the API key needs the scope %q for this call", route.Scope)}
	}
	c := &v1Call{Request: r, by: by, body: body, products: products}
	if route.Query != nil {
		if c.query, err = readV1Query(r.URL.RawQuery, route.Query); err != nil {
			return nil, err
		}
	} else if err := readQuery(r.URL.RawQuery, nil); err != nil {
		return nil, err
	}
	if route.Creates {
		if c.idempotencyKey, err = idempotencyKey(r); err != nil {
			return nil, err
		}
	}
	if large {
		c.body, bodyErr = readCallBody(r, route)
	}
	if bodyErr != nil {
		return nil, bodyErr
	}
	ctx := r.Context()
	if r.Method != http.MethodGet {
		ctx = context.WithoutCancel(ctx) // from here on the call continues if the caller disconnects
	}
	call := h
	if isAudited(route) {
		call = func(ctx context.Context, c *v1Call) (any, error) { return b.audited(ctx, route, c, h) }
	}
	response, err := call(ctx, c)
	if err == nil && by.browser {
		response = forBrowser(response)
	}
	return response, err
}

// readCallBody reads the body of a call of a route. A route without a body accepts an empty object.
func readCallBody(r *http.Request, route v1.Route) (any, error) {
	switch {
	case route.Body != nil:
		return readV1Body(r, route.Body, route.MaxBody)
	case r.Method != http.MethodGet && r.ContentLength != 0:
		return nil, readJSON(r, &struct{}{})
	}
	return nil, nil
}

// writeV1Error writes an error as the response, like writeError.
func (b backend) writeV1Error(w http.ResponseWriter, r *http.Request, err error) {
	var answer *v1.Error
	if !errors.As(err, &answer) {
		b.writeError(w, r, err)
		return
	}
	body := *answer
	body.RequestID = reqlog.ID(r.Context())
	b.logger(r.Context()).Debug("request rejected", "method", r.Method, "path", r.URL.Path, "code", string(body.Code), "reason", body.Message)
	if err := writeJSON(w, v1.Status(body.Code), &body); err != nil {
		b.logger(r.Context()).Error("writing an error failed", "error", err)
	}
}
