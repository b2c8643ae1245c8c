package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"h5pay/internal/api"
)

// callTimeout bounds one call to the signer, which itself gives WeChat eight
// seconds.
const callTimeout = 15 * time.Second

// Codes of the page's own, beside those of the signer.
const (
	codeOffline        api.Code = "offline"          // no answer came
	codeBadResponse    api.Code = "bad_response"     // an answer that is not the signer's
	codeBridge         api.Code = "no_bridge"        // WeixinJSBridge did not appear
	codeSignInDeclined api.Code = "sign_in_declined" // the user refused the sign-in
	codeNoSession      api.Code = "no_session"       // a browser that has made no order yet
	codeNoProduct      api.Code = "no_product"       // the address names no product whose amount the payer names
	codeNoOrder        api.Code = "no_order"         // the address names no order
	codeCookies        api.Code = "cookies"          // the browser keeps no session
)

// call makes one call and decodes its answer into out, which may be nil. The
// error is an *api.Error.
func call(ctx context.Context, b browser, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return &api.Error{Code: api.CodeInternal, Message: err.Error()}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := b.Fetch(ctx, method, path, body)
	if err != nil {
		return &api.Error{Code: codeOffline, Message: err.Error()}
	}
	if got.Status < 200 || got.Status > 299 {
		var e api.Error
		if json.Unmarshal(got.Body, &e) != nil || e.Code == "" {
			return errBadResponse()
		}
		return &e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(got.Body, out); err != nil {
		return errBadResponse()
	}
	return nil
}

// getOrder returns an order as the signer has it now.
func getOrder(ctx context.Context, b browser, id string) (api.Order, error) {
	var o api.Order
	if err := call(ctx, b, "GET", api.OrderPath(id), nil, &o); err != nil {
		return o, err
	}
	if o.ID != id {
		return o, errBadResponse()
	}
	return o, nil
}

// errBadResponse says that something between here and the signer answered.
func errBadResponse() error {
	return &api.Error{Code: codeBadResponse, Message: "an answer that is not the signer's"}
}

// code returns the code of an error of call, "" for none.
func code(err error) api.Code {
	if err == nil {
		return ""
	}
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return api.CodeInternal
}

// orderParam returns the order that an address is about, "" for none.
func orderParam(query string) string { return idParam(query, "order") }

// idParam returns the ID that a query has under a name, "" for none or for what
// is no ID.
func idParam(query, name string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	id := values.Get(name)
	for _, c := range []byte(id) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_') {
			return ""
		}
	}
	if len(id) > 64 {
		return ""
	}
	return id
}

// getCatalogue returns what is public of a shop.
func getCatalogue(ctx context.Context, b browser) (config api.Config, products []api.Product, err error) {
	var list api.ProductList
	if err = call(ctx, b, "GET", api.PathConfig, nil, &config); err == nil {
		err = call(ctx, b, "GET", api.PathProducts, nil, &list)
	}
	return config, append([]api.Product{}, list.Products...), err
}

// payPath is where an order is paid; a real navigation leads there.
func payPath(id string) string { return "/pay?order=" + id }

// resultPath is where it is said what became of it.
func resultPath(id string) string { return "/result?order=" + id }

// detailPath is where all about it stands.
func detailPath(id string) string { return "/order?order=" + id }
