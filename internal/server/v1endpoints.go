package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/outbox"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// keepOldSecret is how long the previous secret also signs, unless the call sets it.
const keepOldSecret = 24 * time.Hour

func (b backend) createEndpoint(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.CreateEndpoint)
	if problem := b.outbox.URLProblem(req.URL); problem != "" {
		return nil, wrongField("url", problem)
	}
	if err := onlyOnce(req.Types); err != nil {
		return nil, err
	}
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	e, secret, err := b.outbox.CreateEndpoint(ctx, order.Endpoint{
		URL: req.URL, Description: req.Description, Types: req.Types, State: order.EndpointEnabled,
		MadeBy: c.by.id, IdempotencyKey: c.idempotencyKey, Fingerprint: fingerprint,
	})
	return b.endpointOrError(c, e, secret, err)
}

func (b backend) listEndpoints(ctx context.Context, _ *v1Call) (any, error) {
	all, err := b.outbox.Endpoints(ctx)
	if err != nil {
		return nil, err
	}
	list := v1.Endpoints{Endpoints: make([]v1.Endpoint, len(all))}
	for i, e := range all {
		list.Endpoints[i] = b.publicEndpoint(e)
	}
	return list, nil
}

func (b backend) getEndpoint(ctx context.Context, c *v1Call) (any, error) {
	e, err := b.outbox.Endpoint(ctx, c.PathValue("id"))
	return b.endpointOrError(c, e, "", err)
}

func (b backend) changeEndpoint(ctx context.Context, c *v1Call) (any, error) {
	req := c.body.(v1.ChangeEndpoint)
	if req.URL != nil {
		if problem := b.outbox.URLProblem(*req.URL); problem != "" {
			return nil, wrongField("url", problem)
		}
	}
	if err := onlyOnce(req.Types); err != nil {
		return nil, err
	}
	e, err := b.outbox.ChangeEndpoint(ctx, c.PathValue("id"), store.EndpointChange{
		URL: req.URL, Description: req.Description, Types: req.Types, Enabled: req.Enabled})
	return b.endpointOrError(c, e, "", err)
}

func (b backend) deleteEndpoint(ctx context.Context, c *v1Call) (any, error) {
	e, err := b.outbox.DeleteEndpoint(ctx, c.PathValue("id"))
	return b.endpointOrError(c, e, "", err)
}

func (b backend) rotateSecret(ctx context.Context, c *v1Call) (any, error) {
	keep := keepOldSecret
	if req := c.body.(v1.RotateSecret); req.KeepOld != nil {
		keep = time.Duration(*req.KeepOld) * time.Second
	}
	fingerprint, err := c.fingerprint()
	if err != nil {
		return nil, err
	}
	e, secret, err := b.outbox.RotateSecret(ctx, c.PathValue("id"), c.by.id+" "+c.idempotencyKey, fingerprint, keep)
	return b.endpointOrError(c, e, secret, err)
}

func (b backend) testEndpoint(ctx context.Context, c *v1Call) (any, error) {
	result, err := b.outbox.TestEndpoint(ctx, c.PathValue("id"))
	if err != nil {
		return nil, b.endpointError(c, err)
	}
	return v1.EndpointTest{EventID: result.EventID, OK: result.Problem == "", Status: result.Status, Problem: result.Problem,
		TookMS: result.Took.Milliseconds()}, nil
}

func (b backend) endpointOrError(c *v1Call, e order.Endpoint, secret string, err error) (any, error) {
	if err != nil {
		return nil, b.endpointError(c, err)
	}
	public := b.publicEndpoint(e)
	public.Secret = secret
	return public, nil
}

// endpointError returns the v1.Error for an error of the outbox.
func (b backend) endpointError(c *v1Call, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noSuch("endpoint")
	case errors.Is(err, outbox.ErrFull):
		return &v1.Error{Code: v1.CodeFull, Message: "the shop has the maximum of endpoints"}
	case errors.Is(err, outbox.ErrRepeated):
		return c.mismatch()
	case errors.Is(err, outbox.ErrRotated):
		return &v1.Error{Code: api.CodeConflict, Message: "another call has changed the secret: repeat this call if the secret must still change"}
	case errors.Is(err, outbox.ErrOfSetting):
		return &v1.Error{Code: v1.CodeOfSettings, Message: "the endpoint settings takes its URL and its secrets from the settings of the shop"}
	}
	return err
}

// onlyOnce rejects a list that has a type twice.
func onlyOnce(types []api.EventType) error {
	for i, t := range types {
		if slices.Contains(types[:i], t) {
			return wrongField("types", "has "+string(t)+" twice")
		}
	}
	return nil
}

// publicEndpoint returns an endpoint without its secrets.
func (b backend) publicEndpoint(e order.Endpoint) v1.Endpoint {
	public := v1.Endpoint{ID: e.ID, URL: e.URL, Description: e.Description, Types: e.Types, State: v1.EndpointState(e.State), CreatedAt: unixMilli(e.CreatedAt),
		Attempts: e.Attempts, Failures: e.Failures, LastSuccessAt: unixMilli(e.LastSuccessAt), LastFailureAt: unixMilli(e.LastFailureAt), LastError: e.LastError}
	if public.Types == nil {
		public.Types = []api.EventType{}
	}
	if b.now().Before(e.OldUntil) {
		public.OldSecretUntil = e.OldUntil.UnixMilli()
	}
	switch e.State {
	case order.EndpointUnset: // until the next delivery
		public.State = v1.EndpointEnabled
	case order.EndpointDeleted:
		public.State = v1.EndpointDisabled
		return public
	}
	if e.ID == order.SettingsEndpoint {
		public.URL = b.outbox.WebhookOrigin()
	} else if !b.outbox.CanSign(e) {
		public.Problem = "the secret cannot be opened with SESSION_KEY: change the secret"
	}
	return public
}
