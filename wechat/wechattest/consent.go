package wechattest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// The states of a Consent.
const (
	ConsentOpen     = "open"
	ConsentApproved = "approved"
	ConsentDeclined = "declined"
)

// Consent is one consent page of snsapi_userinfo.
type Consent struct {
	ID       string    `json:"id"`
	Shop     string    `json:"shop"`
	User     User      `json:"user"`
	Scope    string    `json:"scope"`
	State    string    `json:"state"`
	Location string    `json:"location,omitempty"` // where the phone goes after the decision
	Opened   time.Time `json:"opened"`
}

// ErrUnknownConsent and ErrConsentDecided are the errors of a decision.
var (
	ErrUnknownConsent = errors.New("no such consent page")
	ErrConsentDecided = errors.New("the consent page was already answered")
)

// consent is a Consent with the data to continue the sign-in.
type consent struct {
	Consent
	link link
	done chan struct{} // closed when answered
}

// openConsent records that a user has a consent page open.
func (w *WeChat) openConsent(user User, l link) Consent {
	c := &consent{
		Consent: Consent{ID: "c" + w.ids.text(alnum, 16), Shop: w.cfg.ShopName, User: user, Scope: l.scope, State: ConsentOpen, Opened: w.Now()},
		link:    l, done: make(chan struct{}),
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.consents = append(w.consents, c)
	view := c.Consent
	w.publish(Event{Kind: EventConsent, Consent: &view})
	return view
}

// Consents returns every consent page, oldest first.
func (w *WeChat) Consents() []Consent {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Consent, 0, len(w.consents))
	for _, c := range w.consents {
		list = append(list, c.Consent)
	}
	return list
}

// Decide answers a consent page: 允许 or 拒绝. The page in the phone, if one is open, continues by
// itself. The error is ErrUnknownConsent or ErrConsentDecided.
func (w *WeChat) Decide(id string, approve bool) (Consent, error) {
	c, err := w.findConsent(id)
	if err != nil {
		return Consent{}, err
	}
	code := ""
	if approve {
		code = w.newCode(c.User, c.link)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.State != ConsentOpen {
		delete(w.grants, code)
		return c.Consent, ErrConsentDecided
	}
	c.State = ConsentDeclined
	if approve {
		c.State = ConsentApproved
	}
	// docs/wechat.md 1.4: a person who declines is redirected with the state and no code.
	c.Location = c.link.answer(code)
	w.applyReturnFaults()
	close(c.done)
	view := c.Consent
	w.publish(Event{Kind: EventConsent, Consent: &view})
	return view, nil
}

func (w *WeChat) findConsent(id string) (*consent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.consents {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, ErrUnknownConsent
}

// answerConsent serves the buttons of the consent page.
func (w *WeChat) answerConsent(x *exchange) {
	form, err := url.ParseQuery(x.body)
	if err != nil || (form.Get("decision") != "approve" && form.Get("decision") != "decline") {
		x.html(http.StatusBadRequest, errorPage(linkError{text: "该链接无法访问", hint: "want id and decision=approve or decline"}))
		return
	}
	c, err := w.Decide(form.Get("id"), form.Get("decision") == "approve")
	if err != nil {
		x.note("%v", err)
		x.html(http.StatusOK, errorPage(linkError{text: "该链接无法访问", hint: err.Error()}))
		return
	}
	x.redirect(c.Location)
}

// waitConsent sends the decision that was made at the desk to the consent page. It waits at most 25
// s and responds with {"state", "location"}.
func (w *WeChat) waitConsent(rw http.ResponseWriter, r *http.Request) {
	c, err := w.findConsent(r.URL.Query().Get("id"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusNotFound)
		return
	}
	timer := time.NewTimer(25 * time.Second)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	case <-r.Context().Done():
	case <-w.ctx.Done():
	}
	w.mu.Lock()
	state, location := c.State, c.Location
	w.mu.Unlock()
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	b, err := json.Marshal(map[string]string{"state": state, "location": location})
	if err != nil {
		http.Error(rw, "internal", http.StatusInternalServerError)
		return
	}
	_, _ = rw.Write(b) // a page that went away needs no response
}
