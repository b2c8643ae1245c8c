package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// Bounds of the audit list.
const (
	auditStale   = 5 * time.Minute // after which a call without an outcome counts as dead
	auditChecked = 500             // entries that one call verifies
	auditText    = 2000            // bytes of JSON before and after
)

// isAudited reports whether the calls of a route are in the audit list: those that change
// something. createOrder is not, because the row of the order has the API key and never
// changes.
func isAudited(route v1.Route) bool {
	return route.Method != http.MethodGet && route.Name != "createOrder"
}

// audited makes a call and appends its change to the audit list. It stores the intent first,
// so a call that dies is in the list too. Without the intent nothing is changed. A call that is
// rejected after it changed something is in the list as well.
func (b backend) audited(ctx context.Context, route v1.Route, c *v1Call, h v1Handler) (any, error) {
	e := order.AuditEntry{At: b.now(), KeyID: c.by.id, KeyName: c.by.name, Action: route.Name, Object: cmp.Or(c.PathValue("id"), c.PathValue("date")), RequestID: reqlog.ID(ctx)}
	before, err := b.stateBefore(ctx, route, c)
	if err != nil {
		return nil, err
	}
	e.Before = before
	intent, err := alphabet.Lower32.Random(b.rand, 24)
	if err != nil {
		return nil, err
	}
	e.ID = intent
	if c.idempotencyKey != "" {
		sum := sha256.Sum256([]byte(c.by.id + "\n" + c.URL.Path + "\n" + c.idempotencyKey))
		e.ID = hex.EncodeToString(sum[:16])
	}
	c.intent = &order.AuditIntent{Intent: intent, Entry: e}
	if route.Name != "createRefund" { // that one stores its intent in the round trip of the refund
		if err = b.cfg.Store.BeginAudit(ctx, c.intent); err != nil {
			return nil, err
		}
	}
	noting, changed := store.NoteChanges(ctx)
	response, callErr := h(noting, c)
	if !c.intent.Began { // the call ended before it could change something
		return response, callErr
	}
	if done := c.intent.Appended; done != nil {
		b.logAudited(ctx, *done)
		return response, callErr
	}
	e.ID = c.intent.Entry.ID
	code := codeOf(callErr)
	none := !changed.Load()
	switch {
	case callErr == nil:
		none = none && route.Creates // another route may have its effect elsewhere: testEndpoint
		e.After = auditJSON(response)
		if route.Name == "deleteProduct" { // the response is the removed object
			e.After = ""
		}
		e.Object = cmp.Or(e.Object, idOf(response))
		none = none || e.Before != "" && e.Before == e.After
	case v1.Status(code) < http.StatusInternalServerError:
		if !none {
			e.After = b.stateAfter(ctx, route, c, code)
		}
	default:
		none = none && c.intent.Repeated && code != api.CodeInternal
		e.Unknown, e.After = true, auditError(code)
	}
	if none {
		b.endAudit(ctx, b.cfg.Store.DropAudit(ctx, intent))
		return response, callErr
	}
	appended, err := b.cfg.Store.Audit(ctx, intent, e, c.intent.End)
	if b.endAudit(ctx, err); err == nil && appended.Hash != "" {
		b.logAudited(ctx, appended)
	}
	return response, callErr
}

func (b backend) logAudited(ctx context.Context, e order.AuditEntry) {
	b.logger(ctx).Info("audited", "seq", e.Seq, "action", e.Action, "by", e.KeyID, "hash", e.Hash)
}

// endAudit logs a failure after the change. The intent stays, and RecoverAudit makes it an
// entry later.
func (b backend) endAudit(ctx context.Context, err error) {
	if err != nil {
		b.logger(ctx).Error("the outcome of a call is not in the audit list yet", "error", err)
	}
}

func codeOf(err error) api.Code {
	var inV1 *v1.Error
	var inAPI *api.Error
	switch {
	case errors.As(err, &inV1):
		return inV1.Code
	case errors.As(err, &inAPI):
		return inAPI.Code
	}
	return api.CodeInternal
}

// stateBefore returns the object that a call will change, "" if it does not exist or the call
// makes a new one.
func (b backend) stateBefore(ctx context.Context, route v1.Route, c *v1Call) (string, error) {
	var state any
	var err error
	switch route.Name {
	case "putProduct", "deleteProduct", "changeStock":
		state, err = b.getProduct(ctx, c)
	case "putSelling":
		state, err = b.getSelling(ctx, c)
	case "closeOrder":
		var o order.Order
		o, err = b.cfg.Store.ByID(ctx, c.PathValue("id"))
		state = b.publicV1Order(o)
	default:
		return "", nil
	}
	if code := codeOf(err); err != nil && code != api.CodeNotFound && code != api.CodeInternal {
		return "", err
	} else if err != nil {
		return "", nil
	}
	return auditJSON(state), nil
}

// stateAfter is stateBefore for a call that was rejected after it changed something, with the error.
func (b backend) stateAfter(ctx context.Context, route v1.Route, c *v1Call, code api.Code) string {
	text, err := b.stateBefore(ctx, route, c)
	var state map[string]any
	if err != nil || json.Unmarshal([]byte(text), &state) != nil {
		return auditError(code)
	}
	state["error"] = string(code)
	return auditJSON(state)
}

func auditError(code api.Code) string { return auditJSON(map[string]any{"error": string(code)}) }

// idOf returns the ID of the object that a call made.
func idOf(response any) string {
	switch r := response.(type) {
	case v1.Key:
		return r.ID
	case v1.Link:
		return r.ID
	case v1.Endpoint:
		return r.ID
	case v1.Photo:
		return r.Path
	}
	return ""
}

func (b backend) listAudit(ctx context.Context, c *v1Call) (any, error) {
	q := c.query.(v1.AuditQuery)
	before, err := decodeAudit(q.Cursor)
	if err != nil {
		return nil, err
	}
	if err := b.cfg.Store.RecoverAudit(ctx, b.now().Add(-auditStale)); err != nil {
		return nil, err
	}
	limit := cmp.Or(q.Limit, v1.DefaultPage)
	entries, err := b.cfg.Store.AuditBefore(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	list := v1.Audit{Entries: make([]v1.AuditEntry, len(entries))}
	for i, e := range entries {
		list.Entries[i] = v1.AuditEntry{Seq: e.Seq, At: e.At.UnixMilli(), KeyID: e.KeyID, KeyName: e.KeyName, Action: e.Action, Object: e.Object,
			Before: json.RawMessage(e.Before), After: json.RawMessage(e.After), Unknown: e.Unknown, RequestID: e.RequestID, Hash: e.Hash}
	}
	if n := len(entries); n == limit && entries[n-1].Seq > 1 {
		list.Next = strconv.FormatInt(entries[n-1].Seq, 10)
	}
	return list, nil
}

// decodeAudit returns the entry that a cursor names, 0 without one.
func decodeAudit(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || seq < 1 || seq >= 1<<52 {
		return 0, wrongField("cursor", "want the cursor of a previous response of this list")
	}
	return seq, nil
}

// checkAudit checks the hashes of a part of the list, and that no entry is missing in it. The
// hash in the log shows whether the end of the list was cut off.
func (b backend) checkAudit(ctx context.Context, c *v1Call) (any, error) {
	last, err := decodeAudit(c.query.(v1.AuditCheckQuery).Cursor)
	if err != nil {
		return nil, err
	}
	entries, err := b.cfg.Store.AuditFrom(ctx, max(1, last), auditChecked+1)
	if err != nil {
		return nil, err
	}
	check := v1.AuditCheck{OK: true}
	hash := ""
	if last > 0 { // the previous call verified the first one
		if len(entries) == 0 || entries[0].Seq != last {
			return v1.AuditCheck{Broken: last}, nil
		}
		hash, entries = entries[0].Hash, entries[1:]
	}
	for _, e := range entries {
		last++
		if e.Seq != last || e.Hash != e.Sum(hash) {
			return v1.AuditCheck{Entries: check.Entries, Broken: last, Hash: hash}, nil
		}
		check.Entries++
		hash = e.Hash
	}
	check.Hash = hash
	if len(entries) >= auditChecked {
		check.Next = strconv.FormatInt(last, 10)
	}
	return check, nil
}
