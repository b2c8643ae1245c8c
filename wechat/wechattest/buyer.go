package wechattest

import (
	"encoding/json"
	"fmt"
)

// Pay does what the buyer of a JSAPI order does. The page at the address page calls
// getBrandWCPayRequest with params. Then the person who holds the phone presses the button of the
// sheet. When Pay returns, the trade is in the Ledger and the notification is being sent:
// Advance(0) waits for it.
//
// params are the six signed fields: appId, timeStamp, nonceStr, package, signType and
// paySign. They are a struct with JSON tags, a map, or any other value that
// encoding/json writes as an object of strings.
//
// The error is a *BridgeError if the phone opens no sheet, or if the payment on it fails, which the
// sheet shows too. Any other error is about params.
func (w *WeChat) Pay(page string, params any) (Sheet, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return Sheet{}, fmt.Errorf("params: %w", err)
	}
	call := InvokeCall{API: payAPI, URL: page, Landing: page}
	if err := json.Unmarshal(raw, &call.Args); err != nil {
		return Sheet{}, fmt.Errorf("params: want a JSON object: %w", err)
	}
	sheet, declined := w.Invoke(call)
	if declined != nil {
		return Sheet{}, declined
	}
	if sheet, err = w.PaySheet(sheet.ID); err != nil {
		return sheet, err
	}
	if sheet.State != SheetPaid {
		return sheet, &BridgeError{ErrMsg: sheet.ErrMsg, ErrDesc: sheet.ErrDesc}
	}
	return sheet, nil
}

// Error returns err_msg, WeChat's text for the user, and the cause.
func (e *BridgeError) Error() string {
	text := e.ErrMsg
	for _, more := range []string{e.ErrDesc, e.note} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}
