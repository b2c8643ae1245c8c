package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// passD1 passes the Worker's calls on to D1.
func (w *world) passD1() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: w.d1.Address})
			// What has left workerd arrives, whatever becomes of workerd.
			r.Out = r.Out.WithContext(context.WithoutCancel(r.Out.Context()))
		},
		Transport: w.d1Client.Transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			// D1 has just closed a connection that was idle, say.
			w.worker.excuse(atD1)
			panic(http.ErrAbortHandler)
		},
	}
}

// read returns what is stored, past everything that goes wrong. The columns of
// the statement are those of Row, in JSON.
func read[Row any](w *world, statement string, args ...any) ([]Row, error) {
	body, err := json.Marshal(map[string]any{"sql": statement, "params": args})
	if err != nil {
		return nil, err
	}
	res, err := w.d1Client.Post("http://"+w.d1.Address+"/query?resultsFormat=ARRAY_OF_OBJECTS", "application/json", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading D1: %w", err)
	}
	defer res.Body.Close()
	var text json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&text); err != nil {
		return nil, fmt.Errorf("reading D1: %w", err)
	}
	var answer []struct{ Results []Row }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer) != 1 {
		return nil, fmt.Errorf("reading D1: %.300s", text)
	}
	return answer[0].Results, nil
}
