package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
)

// The first requests that are measured, each in an isolate of its own.
const (
	pageFlow    = "start of the page"
	createFlow  = "order"
	paymentFlow = "payment"
)

var coldFlows = []string{pageFlow, createFlow, paymentFlow, notificationFlow}

// coldStart is the first request of a cold isolate.
type coldStart struct {
	start   time.Duration // CPU of the Worker's thread before the request
	cpu     time.Duration // CPU of that thread for the request
	latency time.Duration
}

// coldStarts measures the first request of every flow on every Worker.
func coldStarts(ctx context.Context, p plan, warm []*driver, start func(name string) (*driver, error), r *results) error {
	for i := range p.colds {
		for _, flow := range coldFlows {
			for _, w := range warm {
				log.Printf("cold start %d of %d: %s, %s", i+1, p.colds, flow, w.name)
				c, err := coldRequest(ctx, w, start, flow)
				if err != nil {
					return err
				}
				k := coldKey{w.name, flow}
				r.cold[k] = append(r.cold[k], c)
			}
		}
	}
	return nil
}

// coldRequest starts a Worker and measures its first request. warm is a running instance of the
// same Worker.
func coldRequest(ctx context.Context, warm *driver, start func(name string) (*driver, error), flow string) (c coldStart, err error) {
	var id string // of an order that another isolate created
	var paid placed
	switch flow {
	case paymentFlow:
		id, err = warm.createOrder(ctx)
	case notificationFlow:
		err = warm.order(ctx)
		paid = warm.up.takePlaced()[0]
	}
	if err != nil {
		return c, err
	}
	d, err := start(warm.name)
	if err != nil {
		return c, err
	}
	defer d.close()
	d.cookie = warm.cookie
	d.keys.Store(warm.keys.Add(2) - 1) // no two orders have the same key
	if c.start, err = waitEvaluated(ctx, d.PID); err != nil {
		return c, err
	}
	before := time.Now()
	switch flow {
	case pageFlow:
		err = d.get(ctx, api.PathConfig)
	case createFlow:
		_, err = d.createOrder(ctx)
	case paymentFlow:
		err = d.pay(ctx, id)
	default:
		err = d.notify(ctx, paid)
	}
	c.latency = time.Since(before)
	if err != nil {
		return c, err
	}
	after, err := threadTime(d.PID)
	c.cpu = after - c.start
	d.up.takePlaced()
	return c, err
}

// waitEvaluated waits until workerd has evaluated the Worker's modules, which is after it listens.
// Cloudflare does not charge this time to a request. It returns the CPU time of the thread.
func waitEvaluated(ctx context.Context, pid int) (time.Duration, error) {
	const quiet = 300 * time.Millisecond
	last := time.Duration(-1)
	for range 100 {
		t, err := threadTime(pid)
		if err != nil || t == last {
			return t, err
		}
		last = t
		select {
		case <-time.After(quiet):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, errors.New("workerd does not become idle")
}

// threadTime returns the CPU time of the main thread of a process, on which workerd runs the
// Worker. V8 compiles in other threads too.
func threadTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", pid, pid))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	ns, err := strconv.ParseInt(first, 10, 64)
	return time.Duration(ns), err
}
