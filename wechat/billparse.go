package wechat

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"h5pay/internal/fen"
)

// The columns of a bill that are read, under WeChat's names (docs/wechat.md 12.3).
// They are found by name: WeChat adds columns.
const (
	colTime = iota
	colAppID
	colMchID
	colTransactionID
	colOutTradeNo
	colOpenID
	colTradeType
	colState
	colCurrency
	colSettled
	colCoupon
	colRefundID
	colOutRefundNo
	colSettledBack
	colCouponBack
	colRefundState
	colBody
	colAttach
	colFee
	colRate
	colTotal
	colRefund
	columns
)

const (
	columnNames = "交易时间,公众账号ID,商户号,微信订单号,商户订单号,用户标识,交易类型,交易状态,货币种类,应结订单金额,代金券金额," +
		"微信退款单号,商户退款单号,退款金额,充值券退款金额,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额"
	sumNames = "总交易单数,订单总金额,申请退款总金额,应结订单总金额,退款总金额"
)

// Bounds of a line, so that a hostile line costs no memory.
const (
	maxNames = 4096 // bytes of a line of names
	maxExtra = 128  // cells too many in a row
)

// ParseBill reads a bill of this merchant of the type ALL, which TradeBill returns. The
// bill has a line of names, a line for every payment and refund, and two lines of totals:
// names and numbers. Each cell of a row begins with a backtick. A bill is rejected if the
// number of rows or a total differs from the rows. The total of the fees is not compared:
// WeChat does not document how it rounds.
func (c *Client) ParseBill(body []byte) (Bill, error) { return c.parseBill(body) }

func (a *account) parseBill(body []byte) (Bill, error) {
	bill, line, problem := a.readBill(body)
	if problem != "" {
		return Bill{}, &Error{Op: opBill, Message: "line " + strconv.Itoa(line) + " of the bill: " + problem, Kind: Untrusted}
	}
	return bill, nil
}

func (a *account) readBill(body []byte) (bill Bill, line int, problem string) {
	switch {
	case len(body) > maxBill:
		return Bill{}, 0, "longer than 8 MiB"
	case !utf8.Valid(body):
		return Bill{}, 0, "not UTF-8"
	}
	rest := string(bytes.TrimPrefix(body, bom))
	next := func() string {
		var s string
		s, rest, _ = strings.Cut(rest, "\n")
		line++
		return strings.TrimSuffix(s, "\r")
	}
	at, width, ok := findColumns(next(), columnNames)
	if !ok {
		return Bill{}, line, "a column is missing or repeated"
	}
	// Room for as many rows as there are, or as there can be: no row has fewer
	// than 64 bytes.
	bill.Rows = make([]BillRow, 0, min(strings.Count(rest, "\n`"), len(rest)/64))
	var cells []string
	for strings.HasPrefix(rest, "`") {
		if cells, ok = splitRow(cells, next(), width, at[colBody]); !ok {
			return Bill{}, line, "other cells than columns"
		}
		row, problem := readRow(cells, at)
		switch {
		case problem != "":
			return Bill{}, line, problem
		case row.MchID != a.cfg.MchID:
			return Bill{}, line, "another merchant's"
		}
		bill.Rows = append(bill.Rows, row)
		bill.Total += row.Total
		bill.Refund += row.Refund
		bill.Settled += row.Settled
		bill.SettledBack += row.SettledBack
		bill.Fee += row.Fee
	}
	sumAt, width, ok := findColumns(next(), sumNames)
	if !ok {
		return Bill{}, line, "not the names of the totals"
	}
	sums, ok := splitRow(cells, next(), width, width)
	if !ok {
		return Bill{}, line, "not the totals"
	}
	// The number has decimals too, "45.0", as if it were an amount.
	for i, want := range []Fen{Fen(len(bill.Rows)) * 100, bill.Total, bill.Refund, bill.Settled, bill.SettledBack} {
		if got, ok := fen.ParseYuan(sums[sumAt[i]]); !ok || got != want {
			return Bill{}, line, "the sum of the rows differs from the total"
		}
	}
	if strings.TrimSpace(rest) != "" {
		return Bill{}, line + 1, "something after the totals"
	}
	return bill, line, ""
}

// findColumns returns where in a line of names those of want are, and how many
// names the line has.
func findColumns(line, want string) (at []int, width int, ok bool) {
	if len(line) > maxNames {
		return nil, 0, false
	}
	names := strings.Split(line, ",")
	for name := range strings.SplitSeq(want, ",") {
		found := -1
		for i, n := range names {
			if n == name {
				if found >= 0 {
					return nil, 0, false
				}
				found = i
			}
		}
		if found < 0 {
			return nil, 0, false
		}
		at = append(at, found)
	}
	return at, len(names), true
}

// splitRow splits a row into width cells. It reuses cells. The format has no quoting. Extra
// separators belong to the product name in cell text.
func splitRow(cells []string, line string, width, text int) ([]string, bool) {
	line, ok := strings.CutPrefix(line, "`")
	if !ok {
		return nil, false
	}
	extra := strings.Count(line, ",`") + 1 - width
	if extra < 0 || extra > maxExtra || extra > 0 && text >= width {
		return nil, false
	}
	cells = cells[:0]
	for cell := range strings.SplitSeq(line, ",`") {
		cells = append(cells, cell)
	}
	if extra > 0 {
		cells[text] = strings.Join(cells[text:text+extra+1], ",`")
		cells = append(cells[:text+1], cells[text+extra+1:]...)
	}
	return cells, true
}

func columnName(column int) string { return strings.Split(columnNames, ",")[column] }

func readRow(cells []string, at []int) (row BillRow, problem string) {
	cell := func(column int) string { return cells[at[column]] }
	number := func(column int) string { // "0" stands for none
		if s := cell(column); s != "0" {
			return s
		}
		return ""
	}
	row = BillRow{
		AppID: cell(colAppID), MchID: cell(colMchID),
		TransactionID: number(colTransactionID), OutTradeNo: number(colOutTradeNo), OpenID: cell(colOpenID),
		TradeType: TradeType(cell(colTradeType)), State: TradeState(cell(colState)), Currency: cell(colCurrency),
		RefundID: number(colRefundID), OutRefundNo: number(colOutRefundNo),
		RefundState: refundState(cell(colRefundState)),
		Body:        cell(colBody), Attach: cell(colAttach), Rate: cell(colRate),
	}
	var ok bool
	if row.Time, ok = parseDateTime(cell(colTime)); !ok {
		return BillRow{}, columnName(colTime) + ": want a time as yyyy-MM-dd HH:mm:ss"
	}
	for _, amount := range []struct {
		fen    *Fen
		column int
	}{
		{&row.Total, colTotal}, {&row.Settled, colSettled}, {&row.Coupon, colCoupon},
		{&row.Refund, colRefund}, {&row.SettledBack, colSettledBack}, {&row.CouponBack, colCouponBack},
	} {
		if *amount.fen, ok = fen.ParseYuan(cell(amount.column)); !ok {
			return BillRow{}, columnName(amount.column) + ": want a number of yuan"
		}
	}
	if row.Fee, ok = parseFee(cell(colFee)); !ok {
		return BillRow{}, columnName(colFee) + ": want a number of yuan"
	}
	if row.State == "" || row.TransactionID == "" || row.OutTradeNo == "" {
		return BillRow{}, "it lacks a state or a number"
	}
	return row, ""
}

// parseFee reads up to five decimals of a yuan, without a float.
func parseFee(s string) (Fee, bool) {
	digitsOnly, negative := strings.CutPrefix(s, "-")
	whole, decimals, point := strings.Cut(digitsOnly, ".")
	if len(whole) > 11 || len(decimals) > 5 || !digits(whole) || point && !digits(decimals) {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+(decimals + "00000")[:5], 10, 64)
	if negative {
		n = -n
	}
	return Fee(n), err == nil
}
