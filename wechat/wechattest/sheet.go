package wechattest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// The states of a Sheet.
const (
	SheetOpen      = "open"
	SheetPaid      = "paid"
	SheetCancelled = "cancelled"
	SheetFailed    = "failed"
)

// Sheet is a payment sheet on the phone. It opens over the shop's page (JSAPI), after a
// scan (NATIVE), or when a browser calls WeChat (MWEB).
type Sheet struct {
	ID         string    `json:"id"`
	TradeType  string    `json:"trade_type"` // JSAPI, NATIVE or MWEB
	OutTradeNo string    `json:"out_trade_no"`
	Amount     int64     `json:"amount"` // fen
	Shop       string    `json:"shop"`
	Item       string    `json:"item"`
	OpenID     string    `json:"openid"`
	State      string    `json:"state"`
	ErrMsg     string    `json:"err_msg,omitempty"` // the argument of the page's callback after the sheet has closed; only for JSAPI
	ErrDesc    string    `json:"err_desc,omitempty"`
	Opened     time.Time `json:"opened"`
}

// ErrUnknownSheet and ErrSheetClosed are the errors of PaySheet and CancelSheet.
var (
	ErrUnknownSheet = errors.New("no such payment sheet")
	ErrSheetClosed  = errors.New("the payment sheet is no longer open")
)

// sheet is a Sheet with its order.
type sheet struct {
	Sheet
	order *order
	done  chan struct{} // closed when it is no longer open
}

// addSheet opens a sheet; the caller holds w.mu.
func (w *WeChat) addSheet(o *order, payer User) *sheet {
	s := &sheet{
		Sheet: Sheet{
			ID: "s" + w.ids.text(alnum, 16), TradeType: o.TradeType, OutTradeNo: o.OutTradeNo, Amount: o.TotalFee, Shop: w.cfg.ShopName, Item: o.Body,
			OpenID: payer.OpenID, State: SheetOpen, Opened: w.Now(),
		},
		order: o, done: make(chan struct{}),
	}
	w.sheets = append(w.sheets, s)
	return s
}

// Sheets returns every sheet, oldest first.
func (w *WeChat) Sheets() []Sheet {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Sheet, 0, len(w.sheets))
	for _, s := range w.sheets {
		list = append(list, s.Sheet)
	}
	return list
}

// Sheet returns one sheet, or ErrUnknownSheet.
func (w *WeChat) Sheet(id string) (Sheet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.findSheet(id)
	if err != nil {
		return Sheet{}, err
	}
	return s.Sheet, nil
}

// findSheet finds a sheet; the caller holds w.mu.
func (w *WeChat) findSheet(id string) (*sheet, error) {
	for _, s := range w.sheets {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, ErrUnknownSheet
}

// WaitSheet waits until a payment sheet is no longer open. If ctx or the simulator ends
// first, it returns the open sheet and the context's error.
func (w *WeChat) WaitSheet(ctx context.Context, id string) (Sheet, error) {
	w.mu.Lock()
	s, err := w.findSheet(id)
	w.mu.Unlock()
	if err != nil {
		return Sheet{}, err
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		err = ctx.Err()
	case <-w.ctx.Done():
		err = w.ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.Sheet, err
}

// PaySheet presses the button of a payment sheet. When it returns, the trade is in the Ledger and
// the notification is being sent. The payer is the user for whom the sheet opened. The error is
// ErrUnknownSheet or ErrSheetClosed. If WeChat declines the payment, the state of the sheet is
// SheetFailed.
func (w *WeChat) PaySheet(id string) (Sheet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.findSheet(id)
	if err != nil {
		return Sheet{}, err
	}
	if s.State != SheetOpen {
		return s.Sheet, ErrSheetClosed
	}
	if bad := s.order.payable(w.Now()); bad != nil {
		w.endSheet(s, SheetFailed, bad.ErrMsg, bad.ErrDesc)
		return s.Sheet, nil
	}
	if _, ok := w.takeFault(FaultSheetFail, ""); ok {
		w.endSheet(s, SheetFailed, payFail, "系统繁忙,请稍后再试")
		return s.Sheet, nil
	}
	payer, _ := w.user(s.OpenID)
	w.settle(s.order, payer)
	w.planNotification(s.order, nil, w.Now())
	if s.TradeType != "JSAPI" {
		w.endSheet(s, SheetPaid, "", "")
		return s.Sheet, nil
	}
	if _, ok := w.takeFault(FaultPaidAsCancel, ""); ok {
		w.endSheet(s, SheetPaid, payCancel, "")
		return s.Sheet, nil
	}
	w.endSheet(s, SheetPaid, payOK, "")
	return s.Sheet, nil
}

// CancelSheet closes a payment sheet unpaid. The order can be paid later with the same
// prepay_id. The error is ErrUnknownSheet or ErrSheetClosed.
func (w *WeChat) CancelSheet(id string) (Sheet, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.findSheet(id)
	if err != nil {
		return Sheet{}, err
	}
	if s.State != SheetOpen {
		return s.Sheet, ErrSheetClosed
	}
	w.endSheet(s, SheetCancelled, payCancel, "")
	return s.Sheet, nil
}

// endSheet closes a sheet with a result for the page; the caller holds w.mu.
func (w *WeChat) endSheet(s *sheet, state, errMsg, errDesc string) {
	if s.TradeType != "JSAPI" {
		errMsg = "" // no page waits for it
	}
	s.State, s.ErrMsg, s.ErrDesc = state, errMsg, errDesc
	close(s.done)
	if s.TradeType != "JSAPI" {
		w.record(Message{
			From: PartyPhone, To: PartyWeChat, Kind: "sheet", Method: "ANSWER", Status: http.StatusOK, Request: s.OutTradeNo,
			Note: joinNotes("sheet "+s.ID+" is "+state, errDesc),
		})
	} else if b, err := json.Marshal(BridgeError{ErrMsg: errMsg, ErrDesc: errDesc}); err == nil {
		w.record(Message{
			From: PartyPhone, To: PartyPage, Kind: payAPI, Method: "CALLBACK", Status: http.StatusOK,
			Request: string(b), Note: "sheet " + s.ID + " is " + state + "; the result for the page is a hint, not proof",
		})
	}
	view := s.Sheet
	w.publish(Event{Kind: EventSheet, Sheet: &view})
}

// payable reports why the order cannot be paid now; nil when it can.
func (o *order) payable(now time.Time) *BridgeError {
	switch {
	case o.trade != nil:
		return declinePay("该订单已支付", "the order is paid")
	case o.State == StateClosed:
		return declinePay("该订单已关闭", "the order is closed")
	case now.After(o.Expires):
		return declinePay("该订单已超过商户设置的最晚支付成功时间", "time_expire has passed")
	}
	return nil
}

func declinePay(desc, note string) *BridgeError {
	return &BridgeError{ErrMsg: payFail, ErrDesc: desc, note: note}
}
