package wechattest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// The forgeries that Notify can send. WrongAmount, OtherTrade, LeakedKey and Replay have a valid
// sign: a comparison with the stored payment must detect the first two, a query the third.
// NotifyRefund accepts OtherKey, WrongAmount, Replay and Doctype too.
const (
	ForgeBadSign     = "bad_sign"     // one digit of the sign is changed
	ForgeNoSign      = "no_sign"      // the field sign is missing
	ForgeOtherKey    = "other_key"    // signed with a key that is not the merchant's
	ForgeWrongAmount = "wrong_amount" // total_fee is one fen more, validly signed
	ForgeOtherTrade  = "other_trade"  // the transaction of a payment of another order that the shop knows, validly signed
	ForgeLeakedKey   = "leaked_key"   // a payment that WeChat does not have, right in all else and validly signed
	ForgeReplay      = "replay"       // the last notification of the order, byte for byte
	ForgeDoctype     = "doctype"      // a DOCTYPE with an external entity before the message

	// Forgeries of refund notifications only, which have no sign. WrongAmount and TooEarly are
	// encrypted correctly. They simulate a leaked key, and blocks that were cut from older messages.
	ForgeNoInfo     = "no_info"     // the field req_info is missing
	ForgeBadPadding = "bad_padding" // the last block of req_info is missing
	ForgeTooEarly   = "too_early"   // SUCCESS, whatever the status of the refund is
)

// Forgeries lists the forgeries that Notify accepts.
func Forgeries() []string {
	return []string{ForgeBadSign, ForgeNoSign, ForgeOtherKey, ForgeWrongAmount, ForgeOtherTrade, ForgeLeakedKey, ForgeReplay, ForgeDoctype}
}

// RefundForgeries lists the forgeries that NotifyRefund accepts.
func RefundForgeries() []string {
	return []string{ForgeOtherKey, ForgeNoInfo, ForgeBadPadding, ForgeWrongAmount, ForgeTooEarly, ForgeReplay, ForgeDoctype}
}

// Notify sends a notification now, once, and waits for the shop's response. With forge "" it is the
// genuine one, which only a paid order has; the forgeries also claim that an unpaid order is paid.
// An error means that nothing could be sent. If the shop rejects the notification, the Attempt is
// not OK.
func (w *WeChat) Notify(outTradeNo, forge string) (Attempt, error) {
	if err := knownForge(forge, append(Forgeries(), V3Forgeries()...)); err != nil {
		return Attempt{}, err
	}
	w.mu.Lock()
	o := w.orders[outTradeNo]
	switch {
	case o == nil:
		w.mu.Unlock()
		return Attempt{}, ErrUnknownOrder
	case contains(V3Forgeries(), forge) && o.Version != VersionV3:
		w.mu.Unlock()
		return Attempt{}, knownForge(forge, Forgeries())
	case forge == "" && o.trade == nil:
		w.mu.Unlock()
		return Attempt{}, errors.New("the order is not paid: WeChat has nothing to notify")
	case forge == ForgeOtherTrade && w.otherTrade(o) == nil:
		w.mu.Unlock()
		return Attempt{}, errors.New("the shop knows of no other payment: there is no transaction to use again")
	}
	n, err := w.prepareNotify(o, nil, forge)
	w.mu.Unlock()
	if err != nil {
		return Attempt{}, err
	}
	return w.sendNow(n, forge), nil
}

// NotifyRefund is Notify for a refund. The genuine notification needs a refund that has ended; the
// forgeries do not.
func (w *WeChat) NotifyRefund(outRefundNo, forge string) (Attempt, error) {
	if err := knownForge(forge, append(RefundForgeries(), V3RefundForgeries()...)); err != nil {
		return Attempt{}, err
	}
	w.mu.Lock()
	r := w.findRefund(outRefundNo)
	var err error
	switch {
	case r == nil:
		err = ErrUnknownRefund
	case contains(V3RefundForgeries(), forge) && r.NotifyVersion != VersionV3:
		err = knownForge(forge, RefundForgeries())
	case r.NotifyURL == "":
		err = errors.New("the refund has no notify_url")
	case forge == "" && r.Status == RefundProcessing:
		err = errors.New("the refund is PROCESSING: WeChat has nothing to notify")
	}
	var n *notification
	if err == nil {
		n, err = w.prepareNotify(r.order, r, forge)
	}
	w.mu.Unlock()
	if err != nil {
		return Attempt{}, err
	}
	return w.sendNow(n, forge), nil
}

func knownForge(forge string, known []string) error {
	if forge != "" && !contains(known, forge) {
		return fmt.Errorf("unknown forgery %q; known: %s", forge, strings.Join(known, ", "))
	}
	return nil
}

// sendNow sends outside the retry list.
func (w *WeChat) sendNow(n *notification, forge string) Attempt {
	var l delivery
	if forge == ForgeReplay {
		l = n.last // n is this send's alone
	} else {
		l = w.write(n, forge)
	}
	a := w.post(n, l, "")
	w.mu.Lock()
	defer w.mu.Unlock()
	n.Attempts = append(n.Attempts, a)
	switch {
	case a.OK:
		n.State, n.Next = NotifyAcknowledged, time.Time{}
	case n.Forge != "":
		n.State = NotifyAbandoned
	}
	return a
}

// prepareNotify finds the ledger's entry for a send: the own notification of the
// payment or refund, or a new one for a forgery. That of a replay has the delivery. the
// caller holds w.mu.
func (w *WeChat) prepareNotify(o *order, r *refund, forge string) (*notification, error) {
	var own *notification
	for _, n := range w.notifications {
		if n.order == o && n.refund == r && n.Forge == "" {
			own = n
		}
	}
	switch {
	case forge == ForgeReplay && (own == nil || own.last.body == ""):
		return nil, errors.New("no such notification was sent yet: nothing to replay")
	case forge == "" && own != nil:
		return own, nil
	}
	n := w.newNotification(o, r, forge)
	if forge == ForgeReplay {
		n.last = delivery{body: own.last.body, plain: own.last.plain, v3: own.last.v3, header: own.last.header}
	}
	return n, nil
}
