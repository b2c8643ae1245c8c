package campaign

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"

	"h5pay/internal/api"
)

// Notifier sends WeChat's notifications and checks the shop's response. A payment that the shop
// acknowledges must be stored, because WeChat does not repeat the notification.
type Notifier struct {
	*World
	Client interface {
		Do(*http.Request) (*http.Response, error)
	}
}

// Do sends a notification.
func (t *Notifier) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	res, err := t.Client.Do(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(answer))
	if err != nil {
		return nil, err
	}
	switch {
	case !strings.HasSuffix(r.URL.Path, api.PathNotifyPay):
	case res.StatusCode == http.StatusNoContent:
		t.acknowledgedV3(body)
	case res.StatusCode == http.StatusOK && bytes.Contains(answer, []byte("SUCCESS")):
		t.acknowledged(body)
	}
	return res, nil
}

// acknowledged checks that an acknowledged payment is stored.
func (t *Notifier) acknowledged(body []byte) {
	t.storedAsPaid(element(body, "out_trade_no"), element(body, "transaction_id"))
}

// storedAsPaid checks that a payment is stored as paid by a transaction.
func (t *Notifier) storedAsPaid(number, transaction string) {
	rows, err := read[struct {
		Status      api.PaymentStatus
		Transaction string
	}](t.World, `SELECT status, COALESCE(transaction_id, '') AS "transaction" FROM payments WHERE out_trade_no = ?`, number)
	switch {
	case err != nil:
		t.Note(Wrong, number, "%v", err)
	case len(rows) != 1:
		t.Note(Lost, number, "a payment was acknowledged that is not stored")
	case rows[0].Status != api.PaymentPaid || rows[0].Transaction != transaction:
		t.Note(Lost, number, "a payment was acknowledged, but it is %s by %q", rows[0].Status, rows[0].Transaction)
	}
}

// element returns the text of one element of a flat message.
func element(body []byte, name string) string {
	m := regexp.MustCompile(`<` + name + `>(?:<!\[CDATA\[)?([^<\]]*)`).FindSubmatch(body)
	if m == nil {
		return ""
	}
	return string(m[1])
}
