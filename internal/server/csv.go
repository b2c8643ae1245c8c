package server

import (
	"fmt"
	"strings"
	"time"

	"h5pay/internal/cst"
	"h5pay/internal/order"
	"h5pay/internal/reqlog"
	"h5pay/internal/sheet"
)

// ordersHead names the columns of the table of orders.
var ordersHead = []string{"id", "reference", "out_trade_no", "transaction_id", "status", "trade_type", "total", "refunded", "currency",
	"items", "owner", "payer", "created_at", "paid_at", "failure"}

// notKnownYet is the cell of a payer or a time that WeChat has not reported.
const notKnownYet = "not known yet"

// ordersTable returns orders as a table: amounts in yuan, times of Beijing.
func ordersTable(orders []order.Order) (string, error) {
	var rows [][]string
	for _, o := range orders {
		var items []string
		for _, l := range o.Lines {
			items = append(items, fmt.Sprintf("%s x %d", l.Name, l.Quantity))
		}
		owner, payer, paidAt := masked(o.Owner), masked(o.Payment.Payer), cellTime(o.Payment.PaidAt)
		if order.IsErased(o.Owner) {
			owner = "erased"
		}
		if o.Payment.PayerUnknown {
			payer = notKnownYet
		}
		if o.Public().PaidAtUnknown {
			paidAt = notKnownYet
		}
		row := []string{o.ID, o.Reference, o.Payment.OutTradeNo, o.Payment.TransactionID, string(o.Status), string(o.Payment.TradeType), o.Total.String(), o.Refunded.String(), o.Currency,
			strings.Join(items, "; "), owner, payer, cellTime(o.CreatedAt), paidAt, o.Payment.Failure}
		rows = append(rows, row)
	}
	return sheet.Table(ordersHead, rows)
}

// masked returns an openid or guest id that nobody can use, "" for none.
func masked(id string) string {
	if id == "" {
		return ""
	}
	return reqlog.Mask(id)
}

func cellTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return cst.In(t).Format("2006-01-02 15:04:05")
}
