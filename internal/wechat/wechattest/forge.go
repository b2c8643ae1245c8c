package wechattest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The forgeries that Notify can send. Only WrongAmount and Replay carry a good
// sign: they are what the order's row must catch.
const (
	ForgeBadSign     = "bad_sign"     // one digit of the sign is changed
	ForgeNoSign      = "no_sign"      // the field sign is missing
	ForgeOtherKey    = "other_key"    // signed with a key that is not the merchant's
	ForgeWrongAmount = "wrong_amount" // total_fee is one fen more, validly signed
	ForgeReplay      = "replay"       // the last notification of the order, byte for byte
	ForgeDoctype     = "doctype"      // a DOCTYPE with an external entity before the message
)

// Forges lists what Notify takes besides "".
func Forges() []string {
	return []string{ForgeBadSign, ForgeNoSign, ForgeOtherKey, ForgeWrongAmount, ForgeReplay, ForgeDoctype}
}

// Notify sends a notification now, once, and waits for the shop's answer. With
// forge "" it is the genuine one, which only a paid order has; the forgeries
// also claim that an unpaid order is paid. The error says what cannot be sent;
// a refusal by the shop is an Attempt that is not OK.
func (w *WeChat) Notify(outTradeNo, forge string) (Attempt, error) {
	if forge != "" && !contains(Forges(), forge) {
		return Attempt{}, fmt.Errorf("unknown forge %q; known: %s", forge, strings.Join(Forges(), ", "))
	}
	n, body, err := w.prepareNotify(outTradeNo, forge)
	if err != nil {
		return Attempt{}, err
	}
	var signed *Signed
	if forge != ForgeReplay {
		body, signed = w.notifyBody(n.order, forge)
	}
	a := w.post(n, body, signed, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	n.Attempts = append(n.Attempts, a)
	switch {
	case a.OK:
		n.State, n.Next = NotifyAcknowledged, time.Time{}
	case n.Forge != "":
		n.State = NotifyGivenUp
	}
	return a, nil
}

// prepareNotify finds the ledger's entry for a send: the order's own
// notification, or a new one for a forgery. For a replay it also returns the
// bytes.
func (w *WeChat) prepareNotify(outTradeNo, forge string) (*notification, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o := w.orders[outTradeNo]
	if o == nil {
		return nil, "", ErrUnknownOrder
	}
	if forge == "" && o.trade == nil {
		return nil, "", errors.New("the order is not paid: WeChat has nothing to notify")
	}
	var own *notification
	for _, n := range w.notifications {
		if n.order == o && n.Forge == "" {
			own = n
		}
	}
	switch {
	case forge == ForgeReplay && (own == nil || own.lastBody == ""):
		return nil, "", errors.New("no notification of this order was sent yet: nothing to replay")
	case forge == "" && own != nil:
		return own, "", nil
	}
	n := w.newNotification(o, forge)
	if forge == ForgeReplay {
		return n, own.lastBody, nil
	}
	return n, "", nil
}
