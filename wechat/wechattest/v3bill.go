package wechattest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// v3BillLife is how long a download_url holds.
const v3BillLife = 5 * time.Minute

// v3Bill is a bill that was applied for.
type v3Bill struct {
	text  string
	gzip  bool
	until time.Time
}

// v3BillFields are the parameters that both bills share.
func v3BillFields(more ...v3Field) []v3Field {
	return append(more,
		v3Field{name: "bill_date", title: "账单日期", required: true, max: 10, form: v3Date},
		v3Choice("tar_type", "压缩类型", 32, "GZIP"))
}

// v3TradeBill serves the application for a trade bill.
func (w *WeChat) v3TradeBill(c *v3Call) {
	day, ok := c.billDay(v3BillFields(v3Choice("bill_type", "账单类型", 32, billAll, billSuccess, billRefund)))
	if !ok {
		return
	}
	kind := billAll
	if t := c.query.Get("bill_type"); t != "" {
		kind = t
	}
	c.giveBill(w.bill(kind, day, &payRequest{exchange: c.exchange}))
}

// v3FundFlowBill serves the application for a fund-flow bill.
func (w *WeChat) v3FundFlowBill(c *v3Call) {
	day, ok := c.billDay(v3BillFields(v3Choice("account_type", "资金账户类型", 32, "BASIC", "OPERATION", "FEES")))
	if !ok {
		return
	}
	text := ""
	if account := c.query.Get("account_type"); account == "" || account == "BASIC" {
		text = w.fundFlow(day)
	}
	c.giveBill(text)
}

// billDay checks the parameters and the day; false means that the response is written.
func (c *v3Call) billDay(table []v3Field) (time.Time, bool) {
	decline := func(code, text string) (time.Time, bool) {
		c.decline(http.StatusBadRequest, code, text)
		return time.Time{}, false
	}
	if p := c.checkQuery(table); p != nil {
		c.declineField(p)
		return time.Time{}, false
	}
	day, err := time.ParseInLocation(time.DateOnly, c.query.Get("bill_date"), beijing)
	if err != nil {
		return decline("PARAM_ERROR", "账单日期格式错误")
	}
	if _, ok := c.w.takeFault(FaultBillCreating, ""); ok {
		c.note("fault bill_creating")
		return decline("STATEMENT_CREATING", "账单正在生成中，请稍后再试")
	}
	now := c.w.Now().In(beijing)
	next := day.AddDate(0, 0, 1)
	switch {
	case now.Before(next):
		c.note("bill_date must be yesterday or before; in Beijing it is %s", now.Format(dateTime))
		return decline("INVALID_REQUEST", "账单日期错误")
	case now.Before(next.Add(billReady)):
		c.note("the bill is made from 9:00 on and ready at 10:00; in Beijing it is %s", now.Format(dateTime))
		return decline("STATEMENT_CREATING", "账单正在生成中，请稍后再试")
	case now.After(day.AddDate(0, billMonths, 1)):
		c.note("bills are kept for three months")
		return decline("INVALID_REQUEST", "账单日期错误，仅支持三个月内的账单下载申请")
	}
	return day, true
}

// giveBill keeps a bill and answers with its hash, which is that of the bill before
// it is packed, and the URL.
func (c *v3Call) giveBill(text string) {
	w := c.w
	if text == "" {
		c.note("there is nothing in the bill of that day")
		c.decline(http.StatusBadRequest, "NO_STATEMENT_EXIST", "账单文件不存在")
		return
	}
	b := v3Bill{text: text, gzip: c.query.Get("tar_type") == "GZIP", until: w.Now().Add(v3BillLife)}
	token := w.ids.text(base64url, 64)
	w.mu.Lock()
	maps.DeleteFunc(w.bills, func(_ string, old v3Bill) bool { return w.Now().After(old.until.Add(v3BillLife)) })
	w.bills[token] = b
	w.mu.Unlock()
	link := c.origin() + PathV3BillFile + "?token=" + token
	if b.gzip {
		link += "&tartype=gzip"
	}
	sum := sha1.Sum([]byte(text))
	c.succeed(v3Object{{"download_url", link}, {"hash_type", "SHA1"}, {"hash_value", hex.EncodeToString(sum[:])}})
}

// origin is the origin of a download_url. It is WeChat's own host if the call was sent to that
// host, as by an SDK whose connections are redirected here. Otherwise it is the simulator's.
func (c *v3Call) origin() string {
	if contains([]string{"api.mch.weixin.qq.com", "api2.mch.weixin.qq.com", "api.wechatpay.cn", "api2.wechatpay.cn"}, c.r.Host) {
		return "https://" + c.r.Host
	}
	return c.w.baseURL(c.r.Host)
}

// v3BillFile serves download_url: the file, unsigned.
func (w *WeChat) v3BillFile(c *v3Call) {
	if p := c.checkQuery([]v3Field{v3Text("token", "下载令牌", 0).need(), v3Choice("tartype", "压缩类型", 32, "gzip")}); p != nil {
		c.declineField(p)
		return
	}
	w.mu.Lock()
	b, there := w.bills[c.query.Get("token")]
	w.mu.Unlock()
	switch {
	case !there || b.gzip != (c.query.Get("tartype") == "gzip"):
		c.note("no bill has this download_url: it is to be used as it was given")
		c.decline(http.StatusBadRequest, "INVALID_REQUEST", "下载链接无效，请重新申请")
		return
	case w.Now().After(b.until):
		c.note("the download_url is older than 5 minutes")
		c.decline(http.StatusBadRequest, "INVALID_REQUEST", "下载链接已过期，请重新申请")
		return
	}
	if _, ok := w.takeFault(FaultBillDamaged, ""); ok {
		c.note("fault bill_damaged: a digit of the file is changed, the hash is not")
		b.text = damage(b.text)
	}
	c.reply(http.StatusOK, "text/plain", b.text)
	if b.gzip {
		c.msg.Response = b.text // the log shows what is inside
		c.reply(http.StatusOK, "application/x-gzip", packed(b.text))
	}
}

// damage changes the last digit of a text.
func damage(text string) string {
	i := strings.LastIndexAny(text, digits)
	if i < 0 {
		return text + "0"
	}
	next := byte('0')
	if text[i] != '9' {
		next = text[i] + 1
	}
	return text[:i] + string(next) + text[i+1:]
}

// packed is a text as a gzip stream.
func packed(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		panic("wechattest: " + err.Error()) // into memory
	}
	if err := z.Close(); err != nil {
		panic("wechattest: " + err.Error())
	}
	return b.String()
}

// fundOpening is the balance before the simulator's first payment, in fen.
const fundOpening = 1_000_000

// fund is one movement of money.
type fund struct {
	at               time.Time
	id, name, kind   string // of the business: the transaction or the refund
	in               bool
	fee              int64
	remark, evidence string
}

// fundFlow writes the fund-flow bill of a day, "" when no money moved.
func (w *WeChat) fundFlow(day time.Time) string {
	next := day.AddDate(0, 0, 1)
	balance := int64(fundOpening)
	var rows []string
	var in, out, countIn, countOut int64
	for _, f := range w.funds() {
		signed := f.fee
		if !f.in {
			signed = -f.fee
		}
		balance += signed
		if f.at.Before(day) || !f.at.Before(next) {
			continue
		}
		direction := "收入"
		if f.in {
			in, countIn = in+f.fee, countIn+1
		} else {
			direction, out, countOut = "支出", out+f.fee, countOut+1
		}
		cells := []string{
			f.at.In(beijing).Format(dateTime), f.id, "1" + f.id, f.name, f.kind, direction, yuan(f.fee), yuan(balance), "system", oneLine(f.remark), f.evidence,
		}
		rows = append(rows, "`"+strings.Join(cells, ",`"))
	}
	if rows == nil {
		return ""
	}
	lines := slices.Concat(
		[]string{"\ufeff记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"},
		rows,
		[]string{"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额", fmt.Sprintf("`%d,`%d,`%s,`%d,`%s", countIn+countOut, countIn, yuan(in), countOut, yuan(out))},
	)
	return strings.Join(lines, "\r\n") + "\r\n"
}

// funds lists the movements of money, oldest first: each payment is received and its fee paid, each
// refund is paid and its fee returned.
func (w *WeChat) funds() []fund {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []fund
	for _, o := range w.orderList {
		if t := o.trade; t != nil {
			fee := billRow{trade: *t}.fee()
			all = append(all, fund{t.Paid, t.TransactionID, "交易", "交易", true, t.TotalFee - noCash(t.Coupons), o.Body, o.OutTradeNo})
			if fee > 0 {
				all = append(all, fund{t.Paid, t.TransactionID, "扣除交易手续费", "交易", false, fee, o.Body, o.OutTradeNo})
			}
		}
	}
	for _, r := range w.refunds {
		if r.Status == RefundClosed {
			continue
		}
		f := r.Refund
		back := -billRow{trade: *r.order.trade, refund: &f}.fee()
		all = append(all, fund{f.Created, f.RefundID, "退款", "退款", false, f.Fee - noCash(r.coupons()), f.Reason, f.OutRefundNo})
		if back > 0 {
			all = append(all, fund{f.Created, f.RefundID, "退还交易手续费", "退款", true, back, f.Reason, f.OutRefundNo})
		}
	}
	slices.SortStableFunc(all, func(a, b fund) int { return a.at.Compare(b.at) })
	return all
}
