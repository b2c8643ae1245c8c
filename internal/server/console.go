package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"h5pay/internal/alphabet"
	"h5pay/internal/api"
	"h5pay/internal/key"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/store"
	"h5pay/internal/v1"
)

// consoleLife is how long a sign-in at the console holds, from the sign-in on.
const consoleLife = 12 * time.Hour

// signInConsole exchanges an API key for the cookie of a session. Sign-ins are counted with
// the API's calls without a valid key, before anything is read.
func (s *Server) signInConsole(w http.ResponseWriter, r *http.Request) error {
	var req v1.SignIn
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if !s.allow(r.Context(), s.cfg.AddressLimit, "token "+limitedAddress(r)) {
		w.Header().Set("Retry-After", retryAfter)
		return reject(api.CodeRateLimited, "too many calls without a valid API key, wait a minute")
	}
	record, err := s.keyToSignIn(r.Context(), req.Key)
	if err != nil {
		var rejected *api.Error
		if errors.As(err, &rejected) {
			s.logSeldom(r.Context(), slog.LevelWarn, "a sign-in at the console is rejected", "reason", rejected.Message)
		}
		return err
	}
	life := consoleLife
	if left := record.ExpiresAt.Sub(s.now()); !record.ExpiresAt.IsZero() && left < life {
		life = left
	}
	begun := consoleSession{record.ID, record.SignOuts, s.now().Add(life).UnixMilli()}
	if err := s.console.set(w, begun, life); err != nil {
		return err
	}
	s.logger(r.Context()).Info("signed in at the console", "key", record.ID)
	return writeJSON(w, http.StatusOK, s.publicSession(begun, record))
}

// keyToSignIn returns the record of a key that is valid now.
func (s *Server) keyToSignIn(ctx context.Context, text string) (key.Record, error) {
	sent, ok := key.Parse(text)
	if !ok {
		return key.Record{}, reject(api.CodeUnauthenticated, "this is no API key of this shop")
	}
	record, err := s.cfg.Store.Key(ctx, sent.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && !sent.Has(record.Hash):
		return key.Record{}, reject(api.CodeUnauthenticated, "the API key is unknown")
	case err != nil:
		return key.Record{}, err
	case record.Ended(s.now()) != "":
		return key.Record{}, reject(api.CodeUnauthenticated, "the API key is "+record.Ended(s.now()))
	}
	return record, nil
}

// consoleCaller returns the session that a request has, and its key.
func (s *Server) consoleCaller(r *http.Request) (consoleSession, key.Record, error) {
	var signedIn consoleSession
	if !s.console.get(r, &signedIn) {
		return signedIn, key.Record{}, reject(api.CodeUnauthenticated, "sign in first")
	}
	record, err := s.cfg.Store.Key(r.Context(), signedIn.KeyID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return signedIn, record, err
	}
	var wrong *v1.Error
	if errors.As(signedIn.problem(r, record, err == nil, s.now()), &wrong) {
		return signedIn, record, reject(wrong.Code, wrong.Message)
	}
	return signedIn, record, nil
}

func (s *Server) getConsoleSession(w http.ResponseWriter, r *http.Request) error {
	signedIn, record, err := s.consoleCaller(r)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, s.publicSession(signedIn, record))
}

// signOutConsole ends the session of this browser, or with ?everywhere=true every session
// under the key. Without a session it succeeds.
func (s *Server) signOutConsole(w http.ResponseWriter, r *http.Request) error {
	var everywhere bool
	err := readQuery(r.URL.RawQuery, map[string]func(string) error{"everywhere": func(v string) error {
		if everywhere = v == "true"; !everywhere {
			return errors.New("want true")
		}
		return nil
	}})
	if err != nil {
		return err
	}
	if everywhere {
		signedIn, record, err := s.consoleCaller(r)
		if err != nil {
			return err
		}
		if err := s.signOutEverywhere(context.WithoutCancel(r.Context()), record); err != nil {
			return err
		}
		s.logger(r.Context()).Warn("every session of the console was ended", "key", signedIn.KeyID)
	}
	s.console.clear(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signOutEverywhere ends every session under a key. The audit list has it, like a call of /v1.
func (s *Server) signOutEverywhere(ctx context.Context, record key.Record) error {
	intent, err := alphabet.Lower32.Random(s.rand, 24)
	if err != nil {
		return err
	}
	e := order.AuditEntry{ID: intent, At: s.now(), KeyID: record.ID, KeyName: record.Name, Action: "signOutEverywhere", Object: record.ID, RequestID: reqlog.ID(ctx)}
	if err := s.cfg.Store.BeginAudit(ctx, &order.AuditIntent{Intent: intent, Entry: e}); err != nil {
		return err
	}
	if _, err := s.cfg.Store.SignOut(ctx, record.ID); err != nil {
		return err
	}
	_, err = s.cfg.Store.Audit(ctx, intent, e, nil)
	backend{s}.endAudit(ctx, err)
	return nil
}

func (s *Server) publicSession(signedIn consoleSession, record key.Record) v1.Session {
	public := v1.Session{KeyID: record.ID, Name: record.Name, ExpiresAt: signedIn.Expires, Shop: s.shop.Name, Simulated: s.shop.Simulated, RefundConfirm: s.cfg.RefundConfirm}
	for _, scope := range record.Scopes {
		public.Scopes = append(public.Scopes, v1.Scope(scope))
	}
	return public
}
