package archive

import (
	"fmt"
	"io"
	"strings"
	"time"

	"h5pay/internal/cst"
	"h5pay/internal/sheet"
	"h5pay/internal/v1"
)

// head names the columns. A row is an order with the payment that pays it. Amounts are yuan, times
// are of Beijing.
var head = []string{"id", "reference", "source", "status", "created_at", "paid_at", "amount", "refunded", "currency", "items", "description",
	"out_trade_no", "transaction_id", "trade_type", "payer", "refunds"}

// table is the table of a month.
type table struct{ *sheet.Writer }

func newTable(w io.Writer) *table { return &table{sheet.New(w, head)} }

func (t *table) write(o v1.Order) {
	var paid v1.Payment
	for _, p := range o.Payments {
		if p.Status == v1.PaymentPaid && !p.Duplicate {
			paid = p
		}
	}
	var items, refunds []string
	for _, l := range o.Lines {
		items = append(items, fmt.Sprintf("%s x %d", l.Name, l.Quantity))
	}
	for _, r := range o.Refunds {
		refunds = append(refunds, fmt.Sprintf("%s %s %s", r.ID, r.Amount, r.Status))
	}
	t.Write([]string{o.ID, o.Reference, string(o.Source), string(o.Status), cellTime(o.CreatedAt), cellTime(o.PaidAt), o.Amount.String(), o.Refunded.String(), o.Currency,
		strings.Join(items, "; "), o.Description, paid.OutTradeNo, paid.TransactionID, string(paid.TradeType), paid.Payer, strings.Join(refunds, "; ")})
}

// cellTime returns a time of Beijing, "" for 0.
func cellTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return cst.In(time.UnixMilli(ms)).Format("2006-01-02 15:04:05")
}
